"""Regions of interest as masks, and sets of which some cases are taken."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from pydantic import ValidationError

from tests.training.sets import make_csv, write_rgb
from wsi_edt.datasets import Labelled, SetSpec, read_set
from wsi_edt.errors import AnnotationError


def make_roi(folder: Path, mask: npt.NDArray[np.uint8]) -> Path:
    """`make_csv`'s set with a region of interest, and points in and outside it."""
    make_csv(folder, "class,x,y", "positive,10.5,10.5\nnegative,40.5,20.5\nnegative,200.5,9.5\n")
    write_rgb(folder / "images" / "a.png", np.full((64, 64, 3), 200, np.uint8))
    (folder / "roi").mkdir()
    cv2.imwrite(str(folder / "roi" / "a.png"), mask)
    return folder


def test_labels_hold_within_a_region_of_interest(tmp_path: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[5:25, 5:30] = 255
    mask[40:44, 8] = 255  # another part
    mask[10:12, 20:22] = 0  # a hole
    make_roi(tmp_path / "immunoratio", mask)
    (image,) = read_set(SetSpec(name="immunoratio"), tmp_path)
    # Of three points one lies inside; one lies beyond the image, which doesn't matter outside the region.
    assert image.points.tolist() == [[10.5, 10.5]]
    assert image.region is not None
    assert image.region.area == (mask > 0).sum()
    inside = [image.region.contains(shapely.Point(x + 0.5, y + 0.5)) for y in range(64) for x in range(64)]
    assert inside == (mask > 0).ravel().tolist()
    assert (image.classes, image.nuclei, image.image_mpp) == (Labelled.EVERYWHERE, Labelled.EVERYWHERE, 0.46)


def test_points_that_all_lie_outside_the_region_are_an_error(tmp_path: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[30:40, 30:40] = 255
    make_roi(tmp_path / "immunoratio", mask)
    with pytest.raises(AnnotationError, match=r"a\.csv has 3 points, but none where roi/a\.png is white"):
        read_set(SetSpec(name="immunoratio"), tmp_path)


def test_only_what_lies_around_a_region_is_kept(tmp_path: Path) -> None:
    """Of 400 px at 0.46 µm, the region's box and 40 µm (87 px) around it."""
    folder = make_csv(tmp_path / "immunoratio", "class,x,y", "positive,205.5,310.5\n")
    pixels = np.arange(400 * 400 * 3, dtype=np.uint32).reshape(400, 400, 3).astype(np.uint8)
    write_rgb(folder / "images" / "a.png", pixels)
    mask = np.zeros((400, 400), np.uint8)
    mask[300:390, 200:210] = 255
    (folder / "roi").mkdir()
    cv2.imwrite(str(folder / "roi" / "a.png"), mask)
    (image,) = read_set(SetSpec(name="immunoratio"), tmp_path)
    assert np.array_equal(image.pixels, pixels[213:400, 113:297])
    assert image.points.tolist() == [[205.5 - 113, 310.5 - 213]]
    assert image.region is not None
    assert image.region.bounds == (200 - 113, 300 - 213, 210 - 113, 390 - 213)


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (np.zeros((64, 64), np.uint8), "has no white px"),
        (np.full((64, 63), 255, np.uint8), "has 63×64 px, but a.png has 64×64; make it again at that size"),
    ],
)
def test_a_region_of_interest_that_cannot_be_is_named(
    tmp_path: Path, mask: npt.NDArray[np.uint8], says: str
) -> None:
    make_roi(tmp_path / "immunoratio", mask)
    with pytest.raises(AnnotationError, match=rf"roi.*\.png {says}"):
        read_set(SetSpec(name="immunoratio"), tmp_path)


@pytest.mark.slide
def test_the_immunoratio_and_gepnet_sets(data_dir: Path) -> None:
    """Counts of ../shared/data's README; of immunoratio's, points outside the regions are left out."""
    immunoratio = read_set(SetSpec(name="immunoratio"), data_dir)
    assert len(immunoratio) == 21
    assert 0.97 * 25_679 < sum(len(image.points) for image in immunoratio) <= 25_679
    gepnet = read_set(SetSpec(name="gepnet"), data_dir)
    assert (len(gepnet), sum(len(image.points) for image in gepnet)) == (4, 1095)
    assert {image.classes for image in gepnet} == {Labelled.NOWHERE}


def test_cases_are_taken_and_left_out(tmp_path: Path) -> None:
    folder = make_csv(tmp_path / "mine")
    for name in ("b", "c"):
        write_rgb(folder / "images" / f"{name}.png", np.full((32, 32, 3), 200, np.uint8))
        (folder / "points" / f"{name}.csv").write_text("x,y\n3.5,4\n")

    def cases(**entries: list[str]) -> list[str]:
        spec = SetSpec.model_validate({"name": "mine", "format": "points", "mpp": 0.25} | entries)
        return [image.case for image in read_set(spec, tmp_path)]

    assert cases() == ["a", "b", "c"]
    assert cases(cases=["c", "a"]) == ["a", "c"]
    assert cases(without=["b"]) == ["a", "c"]
    with pytest.raises(AnnotationError, match="has no case 'd'; its cases are a, b, c"):
        cases(without=["d"])
    with pytest.raises(AnnotationError, match="is left without cases"):
        cases(cases=["a"], without=["a"])
    with pytest.raises(ValidationError, match="at least 1 item"):
        cases(cases=[])
