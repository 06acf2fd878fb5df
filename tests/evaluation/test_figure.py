"""Figures of assessments: files that open, the same again, and different for other assessments."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.evaluation.test_sweep import FOUND, TRUTH
from wsi_edt.cells import CellClass, Cells
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.evaluation.assessment import Assessment, assess
from wsi_edt.evaluation.figure import write_figure
from wsi_edt.evaluation.pairs import ImagePair


def assessment(found: Cells = FOUND, truth: Cells = TRUTH, *, images: int = 6) -> Assessment:
    pairs = [ImagePair(str(number), str(number), found, truth) for number in range(images)]
    return assess(pairs, radii_px=(10.0, 5.0), resamples=50)


def without_classes(cells: Cells) -> Cells:
    return Cells(cells.x, cells.y, cells.score, np.full(len(cells), CellClass.NUCLEUS, np.uint8))


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The panels' titles of what is saved from here on."""
    found: list[str] = []
    save = Figure.savefig

    def spy(figure: Figure, *args: object, **options: object) -> None:
        found.extend(axes.get_title("left") for axes in figure.axes if axes.get_title("left"))
        save(figure, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", spy)
    return found


def test_everything_there_is_to_draw(tmp_path: Path, titles: list[str]) -> None:
    write_figure(tmp_path / "scores.png", assessment(), title="a model")
    picture = cv2.imread(str(tmp_path / "scores.png"))
    assert picture is not None and picture.std() > 10
    assert titles == [
        "Metrics, 95 % intervals",
        "Calibration, 10 px",
        "Counts",
        "All cells over the threshold",
        "Positive over the threshold",
        "Negative over the threshold",
        "Ki-67 index of each image",
        "Ki-67 index over the threshold",
        "Index error over the threshold",
    ]


def test_only_what_there_is(tmp_path: Path, titles: list[str]) -> None:
    # No classes: no index. Scores that are all equal: nothing over the threshold. Few images: no intervals.
    write_figure(tmp_path / "a.svg", assessment(without_classes(FOUND), images=2), title="nuclei")
    assert titles == ["Metrics", "Calibration, 10 px", "Counts", "All cells over the threshold"]
    titles.clear()
    write_figure(tmp_path / "b.svg", assessment(TRUTH, images=1), title="without scores")
    assert titles == ["Metrics", "Counts", "Ki-67 index of each image"]


def test_nothing_found_can_be_drawn(tmp_path: Path) -> None:
    write_figure(tmp_path / "none.png", assessment(Cells.empty()), title="nothing")
    write_figure(tmp_path / "no_cells.png", assessment(FOUND, Cells.empty()), title="nothing to find")


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_same_assessment_makes_the_same_file(tmp_path: Path, suffix: str) -> None:
    first, second, other = (tmp_path / f"{name}.{suffix}" for name in "abc")
    for path in (first, second):
        write_figure(path, assessment(), title="a model")
    write_figure(other, assessment(images=7), title="a model")
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_refusals_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"scores\.bmp.*\.svg, \.png, \.pdf"):
        write_figure(tmp_path / "scores.bmp", assessment(images=1), title="")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_figure(tmp_path / "file" / "scores.svg", assessment(images=1), title="")
