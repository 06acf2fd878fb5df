"""The stains that a model has met are those of its Ki-67 pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.sets import spots, write_rgb
from wsi_edt.slides.stain_style import KnownStains, stain_style
from wsi_edt.training import TrainConfig
from wsi_edt.training.material import training_images
from wsi_edt.training.provenance import Provenance, provenance_of
from wsi_edt.training.stains import known_stains

BLUE, BROWN, PINK = (90, 100, 170), (120, 80, 50), (220, 120, 190)


def write_set(folder: Path, colours: list[tuple[int, int, int]], *, images: int) -> list[np.ndarray]:
    rng = np.random.default_rng(len(colours))
    pictures = []
    for number in range(images):
        points = rng.integers(8, 120, (12, 2))
        picture = spots(points, 128, [colours[place % len(colours)] for place in range(12)])
        write_rgb(folder / f"images/{number}.png", picture)
        rows = "\n".join(f"{x}.5,{y}.5" for x, y in points.tolist())
        (folder / "points").mkdir(exist_ok=True)
        (folder / f"points/{number}.csv").write_text(f"x,y\n{rows}\n")
        pictures.append(picture)
    return pictures


def config(*names: str) -> TrainConfig:
    sets = [{"name": name, "format": "points", "mpp": 0.5, "weight": 1.0} for name in names]
    return TrainConfig.model_validate({"sets": sets, "validation": []})


def test_only_sets_that_show_dab_count(tmp_path: Path) -> None:
    pictures = write_set(tmp_path / "ki67", [BLUE, BROWN], images=4)
    write_set(tmp_path / "he", [PINK], images=3)
    found = known_stains(training_images(config("ki67", "he"), tmp_path))
    styles = [style for one in pictures if (style := stain_style([one], mpp=0.5)) is not None]
    assert found is not None
    assert found.pictures == 4
    assert found.mean == pytest.approx(np.mean(styles, axis=0), abs=1e-5)
    assert found == KnownStains.of(styles)


def test_a_model_of_h_and_e_alone_knows_no_stain(tmp_path: Path) -> None:
    write_set(tmp_path / "he", [PINK], images=3)
    images = training_images(config("he"), tmp_path)
    assert known_stains(images) is None
    earlier = KnownStains.of([np.full(6, value) for value in (0.0, 0.1, 0.2)])
    assert known_stains(images, earlier=earlier) == earlier


def test_a_model_remembers_what_it_knew_before(tmp_path: Path) -> None:
    write_set(tmp_path / "first", [BLUE, BROWN], images=3)
    write_set(tmp_path / "second", [BROWN], images=5)
    first, second = (training_images(config(name), tmp_path) for name in ("first", "second"))
    both, one_by_one = known_stains([*first, *second]), known_stains(second, earlier=known_stains(first))
    assert both is not None
    assert one_by_one is not None
    assert one_by_one.pictures == both.pictures == 8
    assert one_by_one.mean == pytest.approx(both.mean, abs=1e-4)
    assert np.array(one_by_one.covariance) == pytest.approx(np.array(both.covariance), abs=1e-4)


def test_a_checkpoint_keeps_them(tmp_path: Path) -> None:
    write_set(tmp_path / "ki67", [BLUE, BROWN], images=4)
    images = training_images(config("ki67"), tmp_path)
    provenance = provenance_of(config("ki67"), images, None)
    assert provenance.stains == known_stains(images)
    assert Provenance.model_validate_json(provenance.model_dump_json()) == provenance
