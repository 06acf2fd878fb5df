"""The recipes of the paper's tables on made data: what is trained, chosen, tested, added up and printed."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat

from tests.training.sets import make_bcdata, spots, write_rgb
from tests.workflows.conftest import _scripts_of
from wsi_edt.cells import CellClass, Cells
from wsi_edt.errors import AnnotationError
from wsi_edt.evaluation.predictions import PredictedImage
from wsi_edt.maps import DecodeSettings

PAPER = Path(__file__).parents[2] / "workflows" / "paper"


@pytest.fixture(scope="module")
def paper() -> Iterator[Any]:
    """Imports a script of workflows/paper by its name."""
    yield from _scripts_of(PAPER)
    assert str(PAPER) not in sys.path


def make_uw(folder: Path, numbers: range) -> None:
    rng = np.random.default_rng(0)
    for number in numbers:
        points = rng.integers(8, 88, (6, 2))
        path = folder / "Detection" / f"img{number}" / f"img{number}.png"
        write_rgb(path, spots(points, 96, [(60, 80, 150)] * 6))
        savemat(path.with_name(f"img{number}_detection.mat"), {"detection": points + 1})


def one_image(truth: list[tuple[float, float]], found: list[tuple[int, int]]) -> PredictedImage:
    maps = np.zeros((1, 80, 80), np.float32)
    for x, y in found:
        maps[0, y, x] = 0.5
    x, y = np.array(truth).T
    cells = Cells(x, y, np.ones(len(x), np.float32), np.full(len(x), CellClass.NUCLEUS, np.uint8))
    return PredictedImage("a", "a", maps, ("nucleus",), cells)


def test_nothing_is_both_trained_and_tested(paper: Any, tmp_path: Path) -> None:
    make_uw(tmp_path / "uw", range(41, 81))
    first, second = paper("divisions").divided("uw", "folds", tmp_path)
    assert len(first.test) == 10 and len(second.test) == 30  # up to img50, and above
    assert {"img41", "img50"} <= set(first.test) and "img51" not in first.test
    for part in (first, second):
        roles = [set(part.train), set(part.choose), set(part.test)]
        assert sum(map(len, roles)) == len(set.union(*roles)) == 40
        assert len(part.choose) >= 2


def test_too_few_images_are_named(paper: Any, tmp_path: Path) -> None:
    make_uw(tmp_path / "uw", range(1, 5))
    with pytest.raises(
        AnnotationError, match=r"4 cases to train on and 0 to test on.*three to train on and one to test"
    ):
        paper("divisions").divided("uw", "70-30", tmp_path)


def test_missing_test_images_are_said(paper: Any, tmp_path: Path) -> None:
    make_bcdata(tmp_path / "bcdata", images=4)
    divisions = paper("divisions")
    assert any("stand in" in one for one in divisions.facts_of("bcdata", "test", tmp_path))
    (part,) = divisions.divided("bcdata", "test", tmp_path)
    assert part.test == tuple(f"validation/{number}" for number in range(4))
    make_bcdata(tmp_path / "bcdata", images=3, splits=("test",))
    (part,) = divisions.divided("bcdata", "test", tmp_path)
    assert part.choose == tuple(f"validation/{number}" for number in range(4))
    assert part.test == tuple(f"test/{number}" for number in range(3))


def test_figures_by_hand(paper: Any) -> None:
    tally = paper("tally").Tally
    settings = DecodeSettings(("nucleus",), "nucleus", 11, 0.1)
    # One match within 5 px, one at 8 px, one false; and an image with two missed.
    one = tally.of(one_image([(10.5, 10.5), (40.5, 40.5)], [(12, 10), (48, 40), (70, 70)]), settings)
    two = tally.of(one_image([(10.5, 10.5), (40.5, 40.5)], []), settings)
    both = one + two
    assert both.images == 2
    assert both.figure("F1 5") == pytest.approx(100 * 2 / 7)  # 1 of 3 found and 4 true
    assert both.figure("P 10") == pytest.approx(200 / 3)
    assert both.figure("R 10") == 50.0
    assert both.figure("MAE") == 1.5  # one too many, two too few
    assert both.figure("RMSE") == pytest.approx((5 / 2) ** 0.5)


def test_threshold_and_window_are_chosen(paper: Any) -> None:
    image = one_image([(20.5, 20.5), (27.5, 20.5)], [(20, 20), (27, 20)])
    image.maps[0, 60, 60] = 0.3  # not a cell
    settings = paper("ways").best_settings([image], "ccls")
    assert settings.window_px == 11 and 0.3 <= settings.threshold < 0.5  # 21 px would find one of the two


def test_a_cell_of_a_table(paper: Any) -> None:
    cell = paper("recipe").cell
    assert cell([72.0, 74.0], 73.8) == "73.0 ± 1.4 (73.8, \N{MINUS SIGN}0.8)"
    assert cell([85.24], None) == "85.2"
    assert cell([85.2], 85.2) == "85.2 (85.2, +0.0)"


def test_every_recipe_names_networks_that_there_are(paper: Any) -> None:
    for name in paper("all").RECIPES:
        table = paper(name).TABLE
        labels = [row.label for row in table.rows]
        assert len(set(labels)) == len(labels)
        for row in table.rows:
            assert row.is_here, row.label
            assert set(row.published) <= set(table.columns), row.label


def test_a_table_is_trained_printed_and_not_trained_again(paper: Any, tmp_path: Path) -> None:
    make_uw(tmp_path / "data" / "uw", range(46, 56))
    main, out = paper("table9").main, tmp_path / "out"
    arguments = [
        "--data",
        str(tmp_path / "data"),
        "--out",
        str(out),
        "--smoke",
        "--only",
        "HRNet",
        "--only",
        "M_HRNet",
    ]
    first = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    assert (
        "uw: 10 of 100 images" in first.output
        and "| M_HRNet |" in first.output
        and "| U-Net |" not in first.output
    )
    with (out / "smoke" / "table9.csv").open(encoding="utf-8") as file:
        assert [row["row"] for row in csv.DictReader(file)] == ["HRNet", "M_HRNet"]
    checkpoints = {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint.safetensors")}
    assert len(checkpoints) == 2
    again = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert again.output.splitlines()[-12:] == first.output.splitlines()[-12:]
    assert checkpoints == {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint.safetensors")}


def test_a_folder_that_cant_be_made(paper: Any, tmp_path: Path) -> None:
    make_uw(tmp_path / "data" / "uw", range(46, 56))
    (tmp_path / "file").touch()
    arguments = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "file" / "out"), "--smoke"]
    outcome = CliRunner().invoke(paper("table9").main, arguments)
    assert outcome.exit_code == 1
    assert f"Error: {tmp_path / 'file'}" in outcome.output
    assert "Not a directory; give another folder with --out" in outcome.output
