"""What a run says that it would do, against what it does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.stand_ins import MPP, Pool, compute, make_settings, paint, write_slide
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.errors import SlideError, UsageError
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.dry_run import Preview, previews
from wsi_edt.run.plan import plan_slide
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.settings import RunSettings
from wsi_edt.slides.stain_style import KnownStains


class Tiles(NoProgress):
    def __init__(self) -> None:
        self.planned_tiles: dict[str, tuple[int, int]] = {}

    def planned(self, slide: str, *, tiles: int, tiles_stored: int) -> None:
        self.planned_tiles[slide] = (tiles, tiles_stored)


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    for seed, name in enumerate(("a.png", "b.png")):
        write_slide(folder / name, paint(seed))
    write_slide(folder / "glass.png", paint(0, tissue=False))
    (folder / "bad.svs").write_bytes(b"II*\0" + b"\xff" * 100)
    return folder


def look(folder: Path, out: Path, settings: RunSettings | None = None) -> dict[str, Preview]:
    found = find_slides([folder], out=out, fallback_mpp=MPP).slides
    settings = settings or make_settings()
    listed = previews(found, out, settings=settings, plan_slide=plan_slide, seconds_per_tile=0.5)
    return {one.slide: one for one in listed}


def run(
    folder: Path, out: Path, pool: Pool | None = None, settings: RunSettings | None = None
) -> dict[str, tuple[int, int]]:
    progress = Tiles()
    found = find_slides([folder], out=out, fallback_mpp=MPP).slides
    run_batch(
        found, out, settings=settings or make_settings(), open_pool=(pool or Pool()).opener, progress=progress
    )
    return progress.planned_tiles


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def test_it_says_what_a_run_then_does(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = tree(tmp_path)
    said = look(slides, out)
    assert tree(tmp_path) == before, "nothing is written, not even --out"

    done = run(slides, out)
    assert {name: (one.tiles, one.tiles_stored) for name, one in said.items() if not one.error} == done
    assert list(said) == ["a.png", "b.png", "bad.svs", "glass.png"]
    assert said["a.png"].tiles > 2
    assert said["a.png"].seconds == said["a.png"].tiles * 0.5
    assert said["a.png"].slide_mpp == MPP
    assert said["a.png"].size_bytes == (slides / "a.png").stat().st_size
    assert (said["glass.png"].tiles, said["glass.png"].tissue_mm2, said["glass.png"].error) == (0, 0.0, None)
    assert (said["bad.svs"].error or "").startswith("is damaged or truncated")
    assert str(tmp_path) not in (said["bad.svs"].error or "")

    before = tree(tmp_path)
    again = look(slides, out)
    assert tree(tmp_path) == before
    assert [one.finished for one in again.values()] == [True, True, False, True]
    assert again["a.png"].tissue_mm2 == pytest.approx(said["a.png"].tissue_mm2, abs=1e-4)


def test_what_is_stored_is_not_counted_again(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def breaks(task: ShardTask) -> ShardResult:
        if task.source.path.name == "a.png" and task.shard.index > 1:
            raise SlideError("can't be read")
        return compute(task)

    run(slides, out, Pool(compute=breaks))
    said = look(slides, out)["a.png"]
    assert 0 < said.tiles_stored < said.tiles
    assert said.seconds == (said.tiles - said.tiles_stored) * 0.5
    assert run(slides, out)["a.png"] == (said.tiles, said.tiles_stored)


def test_it_refuses_what_a_run_would_refuse(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(slides, out)
    with pytest.raises(UsageError, match="has results of other settings"):
        look(slides, out, make_settings(threads=2))
    assert not look(slides, out, make_settings(threads=2, overwrite=True))["a.png"].finished
    write_slide(slides / "a.png", paint(9))
    error = look(slides, out)["a.png"].error
    assert error is not None
    assert error.startswith("isn't the file that its results in ")


def test_a_stain_that_the_model_never_met_is_noted(tmp_path: Path) -> None:
    """Before the run and after it, and in ki67.json: the painted slide, to a model that knows only hardly any stain."""
    write_slide(tmp_path / "slides/a.png", paint(0))
    pale = KnownStains.of([np.log(np.full(6, density)) for density in (0.010, 0.011, 0.012)])
    settings = replace(make_settings(), known_stains=pale)
    for _ in range(2):
        said = look(tmp_path / "slides", tmp_path / "out", settings)
        assert "stain unlike the training pictures" in said["a.png"].note.split("; ")
        run(tmp_path / "slides", tmp_path / "out", settings=settings)
    assert said["a.png"].finished
    quality = json.loads((tmp_path / "out/a.png/ki67.json").read_text())["quality"]
    assert quality["stain_distance"] > 4.0
    (flag,) = (flag for flag in quality["flags"] if flag["name"] == "stain unlike the training pictures")
    assert "check that nuclei are found" in flag["sentence"]


def test_flags_of_quality_are_noted(tmp_path: Path) -> None:
    """Before the run and after it; a quarter of the picture is black."""
    painted = paint(0)
    painted.pixels[:, 675:] = 0
    write_slide(tmp_path / "slides/a.png", painted)
    write_slide(tmp_path / "slides/b.png", paint(1))
    for _ in range(2):
        said = look(tmp_path / "slides", tmp_path / "out")
        assert "black" in said["a.png"].note.split("; ")
        assert "black" not in said["b.png"].note
        run(tmp_path / "slides", tmp_path / "out")
    assert said["a.png"].finished
