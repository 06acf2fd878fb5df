"""Crops: the right part of the slide, and marks on the right nuclei."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from wsi_edt.cells import CellClass, Cells
from wsi_edt.ki67.place import Place, Shape
from wsi_edt.report.crops import SIDE_UM, Crop, crop_of
from wsi_edt.report.palette import CLASS_RGB
from wsi_edt.slides import ImageSlide


def picture_of(crop: Crop) -> npt.NDArray[np.int64]:
    assert crop.picture.startswith("data:image/jpeg;base64,")
    data = base64.b64decode(crop.picture.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(data))).astype(np.int64)


def cells_at(*points: tuple[float, float], positive: bool) -> Cells:
    x, y = np.array(points, np.float64).T
    return Cells(x, y, np.ones(len(x), np.float32), np.full(len(x), int(positive), np.uint8))


def slide_with(dark: tuple[int, int], folder: Path, *, mpp: float) -> ImageSlide:
    """A slide with one black square of 5 µm around a point."""
    pixels = np.full((1200, 1600, 3), 235, np.uint8)
    half = round(2.5 / mpp)
    pixels[dark[1] - half : dark[1] + half, dark[0] - half : dark[0] + half] = 0
    return ImageSlide(folder / "a.png", pixels, mpp)


@pytest.mark.parametrize("mpp", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("positive", [True, False])
def test_a_mark_is_drawn_around_its_nucleus(tmp_path: Path, mpp: float, positive: bool) -> None:
    """Whatever the slide's scale: a slide finer than a 40× objective is shown coarser."""
    dark = (700, 500)
    slide = slide_with(dark, tmp_path, mpp=mpp)
    place = Place(Shape.DISC, 690.0, 510.0, 60 / mpp, 60.0)
    bare = picture_of(crop_of(slide, place, Cells.empty()))
    marked = picture_of(crop_of(slide, place, cells_at(dark, positive=positive)))
    side = len(bare) // 5
    nucleus = np.argwhere(bare[side:-side, side:-side].max(axis=2) < 60) + side
    assert len(nucleus) > 60
    changed = np.argwhere(np.abs(marked - bare).sum(axis=2) > 120)
    np.testing.assert_allclose(changed.mean(axis=0), nucleus.mean(axis=0), atol=1.0)
    np.testing.assert_allclose(np.ptp(changed, axis=0) * max(mpp, 0.22), 9.0, atol=2.0)
    corner = np.abs(changed - changed.mean(axis=0)).min(axis=1).max() * 2 / np.ptp(changed, axis=0).max()
    assert (corner < 0.8) == positive, "a ring has no corners, a square has"


def test_only_cells_of_the_place_are_marked(tmp_path: Path) -> None:
    slide = slide_with((800, 600), tmp_path, mpp=0.5)
    place = Place(Shape.DISC, 800.0, 600.0, 100.0, 50.0)
    inside, outside = cells_at((820.0, 610.0), positive=True), cells_at((848.0, 640.0), positive=True)
    bare, with_outside, with_inside = (
        picture_of(crop_of(slide, place, cells)) for cells in (Cells.empty(), outside, inside)
    )
    np.testing.assert_array_equal(with_outside, bare)
    amber = np.abs(with_inside - np.array(CLASS_RGB[CellClass.POSITIVE])).sum(axis=2) < 60
    assert amber.sum() > 30


def test_a_large_place_is_shown_by_its_middle(tmp_path: Path) -> None:
    slide = slide_with((800, 600), tmp_path, mpp=0.25)
    small = crop_of(slide, Place(Shape.SQUARE, 800.0, 600.0, 400.0, 100.0), Cells.empty())
    large = crop_of(slide, Place(Shape.SQUARE, 800.0, 600.0, 3200.0, 800.0), Cells.empty())
    assert small.whole
    assert small.side_um == pytest.approx(106, abs=0.5)
    assert not large.whole
    assert large.side_um == pytest.approx(SIDE_UM, abs=0.5)
    assert picture_of(large).shape == (720, 720, 3)
    assert large.bar.length == pytest.approx(100 * 50 / SIDE_UM, rel=0.01)
    assert large.bar.label == "50 µm"


def test_a_place_at_the_slides_edge_is_white_beyond(tmp_path: Path) -> None:
    slide = slide_with((800, 600), tmp_path, mpp=0.5)
    crop = picture_of(crop_of(slide, Place(Shape.SQUARE, 0.0, 0.0, 200.0, 100.0), Cells.empty()))
    assert crop[10:40, 10:40].mean() > 253
    assert crop[-40:-10, -40:-10].mean() == pytest.approx(235, abs=2)


def test_of_a_large_place_that_part_is_shown_in_which_its_cells_lie(tmp_path: Path) -> None:
    """A field may reach beyond the tissue, or beyond a region."""
    slide = slide_with((1000, 900), tmp_path, mpp=0.25)
    place = Place(Shape.DISC, 800.0, 600.0, 1200.0, 300.0)
    crop = picture_of(crop_of(slide, place, cells_at((1000.0, 900.0), (1000.0, 900.0), positive=False)))
    middle = crop[260:-260, 260:-260]
    dark = np.argwhere(middle.max(axis=2) < 60)
    assert len(dark) > 60
    np.testing.assert_allclose(dark.mean(axis=0), len(middle) / 2, atol=1.5)
