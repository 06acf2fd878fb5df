"""What became of each cell, which images are the worst, and pictures that show it."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from tests.evaluation.test_metrics import cells
from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets import Labelled, LabelledImage
from wsi_edt.evaluation import ImagePair, assess
from wsi_edt.evaluation.evaluation import Evaluation
from wsi_edt.evaluation.failures import Fate, caption, failure_picture, fates, worst_images, write_failures

POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def test_fates() -> None:
    found = cells(
        (10, 10, POSITIVE), (50, 50, POSITIVE), (90, 90, NEGATIVE), (130, 10, NEGATIVE), (170, 10, NEGATIVE)
    )
    truth = cells((12, 10, POSITIVE), (50, 52, NEGATIVE), (10, 90, POSITIVE), (131, 10, NUCLEUS))
    marks = fates(found, truth, radius_px=5.0, has_classes=True)
    assert marks.fate == (
        Fate.MATCHED,
        Fate.WRONG_CLASS,
        Fate.FALSE,
        Fate.IGNORED,
        Fate.FALSE,
        Fate.MISSED,
    )
    # Predictions keep their own place and class; a missed cell has its own.
    assert (marks.x[0], marks.x[5], marks.y[5], marks.class_id[5]) == (10, 10, 90, POSITIVE)
    assert marks.count(Fate.FALSE) == 2


def test_own_class_comes_first() -> None:
    # Both predictions reach both cells: each gets the one of its class, whatever the order.
    found = cells((10, 10, NEGATIVE), (12, 10, POSITIVE))
    truth = cells((10, 10, POSITIVE), (12, 10, NEGATIVE))
    assert fates(found, truth, radius_px=5.0, has_classes=True).fate == (Fate.MATCHED, Fate.MATCHED)


def test_without_classes_no_class_is_wrong() -> None:
    classed, plain = cells((10, 10, POSITIVE)), cells((10, 11, NUCLEUS))
    for found, truth in ((classed, plain), (plain, classed), (plain, plain)):
        assert fates(found, truth, radius_px=5.0, has_classes=False).fate == (Fate.MATCHED,)
    assert fates(plain, Cells.empty(), radius_px=5.0, has_classes=False).fate == (Fate.FALSE,)
    # In a set with classes a nucleus of neither is nothing to find, even where an image has nothing else.
    assert fates(Cells.empty(), plain, radius_px=5.0, has_classes=True).fate == ()


def test_worst_images_first() -> None:
    here, there = cells((10, 10, POSITIVE)), cells((90, 90, POSITIVE))
    both = cells((10, 10, POSITIVE), (90, 90, POSITIVE))
    pairs = [
        ImagePair(name, name, found, truth)
        for name, found, truth in (
            ("good", both, both),
            ("empty", cells(), cells()),
            ("bad", here, there),
            ("fair", here, both),
        )
    ]
    found = assess(pairs, radii_px=(5.0,))
    assert [pairs[place].image for place in worst_images(found, 9)] == ["bad", "fair", "good"]
    assert len(worst_images(found, 2)) == 2
    assert caption(found, 3) == "fair: F1 0.667 at 5 px; Ki-67 index 100.0 % found, 100.0 % true"


def test_picture_shows_the_image_and_its_marks() -> None:
    pixels = np.full((100, 120, 3), 200, np.uint8)
    marks = fates(cells((30, 40, POSITIVE)), cells((90, 60, NEGATIVE)), radius_px=5.0, has_classes=True)
    picture = failure_picture(pixels, marks, caption="a: F1 0.000")
    assert picture.dtype == np.uint8
    left, right = picture[:200, :240], picture[:200, -240:]
    assert (left == 200).all()
    red, yellow = (
        (right[..., 0] > 200) & (right[..., 1] < 120) & (right[..., 2] < 120),
        (right[..., 0] > 200) & (right[..., 1] > 180) & (right[..., 2] < 120),
    )
    # The cross around (30, 40) and the square around (90, 60), twice enlarged.
    for ink, (x, y) in ((red, (60, 80)), (yellow, (180, 120))):
        rows, columns = np.nonzero(ink)
        assert len(rows) > 20
        assert abs(columns.mean() - x) < 3 and abs(rows.mean() - y) < 3
    assert (picture[200:] < 100).any()  # words under it


def test_large_images_are_shown_where_the_errors_are() -> None:
    pixels = np.zeros((700, 1500, 3), np.uint8)
    pixels[:, 1000:] = 255
    wrong = cells(*((1200.0 + 20 * n, 300.0, NEGATIVE) for n in range(5)), (10, 10, NEGATIVE))
    picture = failure_picture(pixels, fates(wrong, cells(), radius_px=5.0, has_classes=True), caption="large")
    # 512 px a side, enlarged twice, beside itself; most of it from the right, white part.
    assert picture.shape[1] == 2 * 1024 + 8
    assert picture[:1024, :1024].mean() > 200


def test_pictures_of_the_worst_images_come_first(tmp_path: Path) -> None:
    def image(name: str, colour: int) -> LabelledImage:
        pixels = np.zeros((40, 60, 3), np.uint8)
        pixels[..., 0] = colour
        none = np.zeros((0, 2)), np.zeros(0, np.uint8)
        return LabelledImage(
            Path(name), "a", name, pixels, 0.5, *none, Labelled.EVERYWHERE, Labelled.EVERYWHERE
        )

    # At 0.25 µm/px. In the second image only the surer prediction counts, and is wrong.
    surer = replace(cells((100, 60, POSITIVE), (20, 20, POSITIVE)), score=np.array([0.9, 0.1], np.float32))
    truth = cells((20, 20, POSITIVE))
    pairs = [ImagePair("good.png", "good", truth, truth), ImagePair("bad.png", "bad", surer, truth)]
    found = Evaluation(
        assess(pairs, radii_px=(5.0,), radius_mpp=0.25, threshold=0.5),
        pairs,
        title="",
        facts={},
        images=[image("good.png", 250), image("bad.png", 120)],
    )
    write_failures(tmp_path / "new", found, count=9)
    assert [path.name for path in sorted((tmp_path / "new").iterdir())] == ["01-bad.jpg", "02-good.jpg"]
    bad, good = (cv2.imread(str(path)) for path in sorted((tmp_path / "new").iterdir()))
    assert bad is not None and good is not None
    assert bad.shape[1] == 2 * 2 * 120 + 8  # 60 px of 0.5 µm are 120 of 0.25
    # RGB went in, BGR comes out.
    assert good[10, 15, 2] > 200 > 60 > good[10, 15, 0]
    assert 100 < bad[10, 15, 2] < 140
