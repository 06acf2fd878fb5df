"""The recipes of the paper's tables on made data: what is trained, chosen, tested, added up and printed."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock, Timeout
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
    assert "a trial, whose figures mean nothing: 3 steps of 2 crops of 64 px" in first.output
    assert "2 images tested." in first.output
    with (out / "smoke" / "table9-only.csv").open(encoding="utf-8") as file:
        assert [row["row"] for row in csv.DictReader(file)] == ["HRNet", "M_HRNet"]
    checkpoints = {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint.safetensors")}
    assert len(checkpoints) == 2
    again = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert again.output.splitlines()[-12:] == first.output.splitlines()[-12:]
    assert checkpoints == {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint.safetensors")}


@pytest.fixture(scope="module")
def trained_once(paper: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a row of Table 9, trained and scored on it."""
    folder = tmp_path_factory.mktemp("trained")
    make_uw(folder / "data" / "uw", range(46, 56))
    assert "3 steps of training" in hrnet_of(paper, folder)
    return folder


def hrnet_of(paper: Any, folder: Path) -> str:
    """What the recipe prints for HRNet's row of Table 9, tried."""
    arguments = ["--data", str(folder / "data"), "--out", str(folder / "out"), "--smoke", "--only", "hrnet"]
    outcome = CliRunner().invoke(paper("table9").main, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (lambda entries: b"", "can't be read as scores"),
        (lambda entries: b"\xff\xfe[", "can't be read as scores"),
        (lambda entries: [], "can't be read as scores"),
        (lambda entries: {"training": entries["training"]}, "can't be read as scores"),
        (lambda entries: _ccls(entries, off="x"), "can't be read as scores"),
        (lambda entries: _ccls(entries, images=0), "can't be read as scores"),
        (lambda entries: _ccls(entries, far=[[-5, 1, 2]] * 3), "can't be read as scores"),
        (lambda entries: _ccls(entries, off=40, off_squared=100), "can't be read as scores"),
        (lambda entries: entries | {"training": "another"}, "is of another training, or of other images"),
        (lambda entries: entries | {"data": "others"}, "is of images whose px or points have changed"),
    ],
)
def test_scores_that_dont_count_are_made_again(
    paper: Any, trained_once: Path, changes: Callable[[dict[str, Any]], Any], why: str
) -> None:
    (path,) = (trained_once / "out").rglob("scores.json")
    right = path.read_bytes()
    wrong = changes(json.loads(right))
    path.write_bytes(wrong if isinstance(wrong, bytes) else json.dumps(wrong).encode())
    assert f"{path} {why}: it is made again" in hrnet_of(paper, trained_once)
    assert path.read_bytes() == right


def _ccls(entries: dict[str, Any], **changes: object) -> dict[str, Any]:
    return entries | {"scores": {"ccls": entries["scores"]["ccls"] | changes}}


def test_processes_that_end_together_write_one_after_the_other(
    paper: Any, trained_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, held = paper("recipe"), []

    def write(path: Path, content: bytes) -> None:
        with pytest.raises(Timeout):
            FileLock(path.parent / "results.lock", timeout=0).acquire()
        held.append(path.name)

    monkeypatch.setattr(script, "write_atomically", write)
    printed = hrnet_of(paper, trained_once)
    assert held == ["table9-only.csv"]
    assert printed.index("| HRNet |") < printed.index("table9-only.csv has the figures")


def test_scores_hold_for_the_pictures_that_were_tested(
    paper: Any, trained_once: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(trained_once, folder)
    divisions = paper("divisions")
    tested = divisions.divided("uw", "folds", folder / "data")[0].shortened(2).test[0]
    assert "made again" not in hrnet_of(paper, folder)
    picture = folder / "data" / "uw" / "Detection" / tested / f"{tested}.png"
    write_rgb(picture, np.zeros((96, 96, 3), np.uint8))
    divisions.Part.digest.cache_clear()  # of this process
    assert "is of images whose px or points have changed: it is made again" in hrnet_of(paper, folder)


def test_a_recipe_that_cant_run_doesnt_stop_the_others(
    paper: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def without_its_set() -> None:
        raise click.ClickException("psu isn't there")

    @click.command()
    def whole() -> None:
        click.echo("a table")

    script = paper("all")
    monkeypatch.setattr(script, "RECIPES", ("first", "second"))
    for name, recipe in (("first", without_its_set), ("second", whole)):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(main=recipe))
    assert script.main([]) == 1
    told = capsys.readouterr()
    assert "a table\nsecond: 0 s" in told.out
    assert told.err == "Error: psu isn't there\nnot made: first\n"
    assert script.main(["--unknown"]) == 2
    assert capsys.readouterr().err.count("No such option") == 1


def test_committed_scores_are_those_of_the_recipes(paper: Any, data_dir: Path) -> None:
    scores, comparison, recipe = PAPER / "scores", paper("comparison"), paper("recipe")
    committed = {path: json.loads(path.read_bytes())["data"] for path in scores.rglob("scores.json")}
    at_hand, found = set(), set()
    for name in paper("all").RECIPES:
        table = paper(name).TABLE
        if not (data_dir / table.data).is_dir():
            continue
        for part in recipe.parts_of(table, data_dir, table.night):
            if part.digest(data_dir) not in committed.values():
                continue  # a copy of the set with other images
            at_hand.add(part.digest(data_dir))
            for row, seed in product(table.rows, (1, 2, 3)):
                training = comparison.Training(part, row, table.maps, table.night, seed)
                path = scores / table.night.name / training.name / comparison.SCORES
                if path in committed:
                    tallies, why = comparison._read(path, training, data_dir)
                    assert not why, path
                    assert {tally.images for tally in tallies.values()} == {len(part.test)}
                    found.add(path)
    if not at_hand:
        pytest.skip("none of the images that were scored are at hand")
    assert found == {path for path, digest in committed.items() if digest in at_hand}


def test_a_folder_that_cant_be_made(paper: Any, tmp_path: Path) -> None:
    make_uw(tmp_path / "data" / "uw", range(46, 56))
    (tmp_path / "file").touch()
    arguments = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "file" / "out"), "--smoke"]
    outcome = CliRunner().invoke(paper("table9").main, arguments)
    assert outcome.exit_code == 1
    assert f"Error: {tmp_path / 'file'}" in outcome.output
    assert "Not a directory; a part of its path is a file" in outcome.output
