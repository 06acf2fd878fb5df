"""Optical densities around cells: against a loop over px, against scikit-image, and wherever tiles are cut."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import mannwhitneyu
from skimage.draw import disk

from wsi_edt.cells import CellClass
from wsi_edt.datasets import ALL_SPLITS, SetSpec, read_set
from wsi_edt.detection.densities import OD_UNIT, RADIUS_UM, mean_densities
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.shards import detect_shard
from wsi_edt.detection.stitching import stitch
from wsi_edt.geometry import Window
from wsi_edt.ki67.deconvolution import deconvolved
from wsi_edt.maps import Peaks
from wsi_edt.slides import ImageSlide, SlideSource, TileGrid, shards

MPP = 0.3125


def at(*places: tuple[int, int]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    x, y = np.array(places, np.int32).reshape(-1, 2).T
    return x, y


def by_hand(image: npt.NDArray[np.uint8], x: int, y: int, radius_px: float) -> list[float]:
    """The mean of −log10(px / 255) of the px that the image has, one by one."""
    height, width, _ = image.shape
    sums, count = [0.0, 0.0, 0.0], 0
    reach = math.ceil(radius_px)
    for row in range(y - reach, y + reach + 1):
        for column in range(x - reach, x + reach + 1):
            if math.hypot(row - y, column - x) > radius_px or not (0 <= row < height and 0 <= column < width):
                continue
            px = image[row, column]
            sums = [sum_ - math.log10(max(int(level), 1) / 255) for sum_, level in zip(sums, px, strict=True)]
            count += 1
    return [sum_ / count for sum_ in sums]


@pytest.mark.parametrize("radius_px", [0.9, 1.0, 6.4, 8.0, 13.3])
def test_equals_a_loop_over_px(radius_px: float) -> None:
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    places = [(30, 30), (31, 30), (0, 0), (79, 59), (5, 57), (40, 2)]
    found = mean_densities(image, *at(*places), radius_px=radius_px)
    expected = [by_hand(image, x, y, radius_px) for x, y in places]
    # Each px is rounded to the unit, and so is the mean.
    np.testing.assert_allclose(found * OD_UNIT, expected, rtol=0, atol=1.01 * OD_UNIT)


def test_black_and_white_are_the_ends() -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 40:] = 255
    found = mean_densities(image, *at((15, 20), (65, 20)), radius_px=6.4)
    assert found.tolist() == [[round(math.log10(255) / OD_UNIT)] * 3, [0, 0, 0]]


def test_the_disc_is_scikit_images() -> None:
    """A disc of skimage holds the px nearer than its radius, so one of a little more holds those at the radius too."""
    image = np.full((64, 64, 3), 255, np.uint8)
    image[disk((30, 34), 6.4 + 1e-6)] = (100, 50, 25)  # type: ignore[no-untyped-call]
    (found,) = mean_densities(image, *at((34, 30)), radius_px=6.4)
    expected = [round(-math.log10(level / 255) / OD_UNIT) for level in (100, 50, 25)]
    assert found.tolist() == expected
    image[30, 34 + 7] = image[30 + 7, 34] = 0  # just beyond
    assert mean_densities(image, *at((34, 30)), radius_px=6.4)[0].tolist() == expected
    image[30, 34 + 6] = 0  # just inside
    assert mean_densities(image, *at((34, 30)), radius_px=6.4)[0].tolist() != expected


def test_px_beyond_the_slide_do_not_count() -> None:
    """A window that reaches beyond the slide on all sides, where it is white, or anything else."""
    slide = np.random.default_rng(5).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    places = [(0, 0), (49, 39), (49, 0), (3, 39), (25, 20), (6, 6)]
    for beyond in (255, 0):
        window = np.pad(slide, ((7, 30), (9, 12), (0, 0)), constant_values=beyond)
        x, y = at(*places)
        found = mean_densities(
            window, x + np.int32(9), y + np.int32(7), radius_px=6.4, on_slide=Window(9, 7, 50, 40)
        )
        expected = [by_hand(slide, *place, 6.4) for place in places]
        np.testing.assert_allclose(found * OD_UNIT, expected, rtol=0, atol=1.01 * OD_UNIT)
        outside = at((0, 0), (70, 76))  # no px of its disc is on the slide
        assert not mean_densities(window, *outside, radius_px=6.4, on_slide=Window(9, 7, 50, 40)).any()


def test_many_cells_are_as_each_alone() -> None:
    """More than are measured at once."""
    image = np.random.default_rng(2).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    x, y = np.random.default_rng(3).integers(0, 128, (2, 700)).astype(np.int32)
    together = mean_densities(image, x, y, radius_px=6.4)
    alone = [mean_densities(image, x[i : i + 1], y[i : i + 1], radius_px=6.4)[0] for i in range(0, 700, 70)]
    assert np.array_equal(together[::70], alone)
    assert mean_densities(image, x[:0], y[:0], radius_px=6.4).shape == (0, 3)


class DarkSpots:
    """Finds the black px, so that a place's cell doesn't depend on the tile."""

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        found = []
        for image in images:
            y, x = (axis.astype(np.int32) for axis in np.nonzero((image == 0).all(axis=2)))
            found.append(Peaks(x, y, np.ones(len(x), np.float32), np.zeros(len(x), np.uint8)))
        return found


def tiled(image: npt.NDArray[np.uint8], *, tile_px: int, halo_px: int, batch_size: int) -> TilePeaks:
    grid = TileGrid((image.shape[1], image.shape[0]), tile_px=tile_px, halo_px=halo_px)
    parts = [
        detect_shard(
            shard,
            DarkSpots().detect,
            source=SlideSource(Path("field.png")),
            model_mpp=MPP,
            batch_size=batch_size,
            readers=2,
            opener=lambda source: ImageSlide(source.path, image, MPP),
        )
        for shard in shards(grid, None, side=2)
    ]
    return stitch(TilePeaks.concatenate(parts), grid, radius_px=5)


def test_tiles_and_batches_give_what_the_whole_image_gives() -> None:
    rng = np.random.default_rng(4)
    image = rng.integers(60, 230, (500, 700, 3), dtype=np.uint8)
    rows, columns = (
        np.arange(3, 500, 16),
        np.arange(3, 700, 16),
    )  # the slide's border, seams and cores' middles
    image[rows[:, None], columns] = 0
    y, x = (axis.ravel().astype(np.int32) for axis in np.meshgrid(rows, columns, indexing="ij"))
    expected = mean_densities(image, x, y, radius_px=RADIUS_UM / MPP)
    for tile_px, batch_size in ((128, 1), (192, 3), (1024, 4)):
        found = tiled(image, tile_px=tile_px, halo_px=32, batch_size=batch_size)
        assert np.array_equal(found.x, x)
        assert np.array_equal(found.y, y)
        assert np.array_equal(found.density, expected), tile_px


@pytest.mark.slide
def test_annotated_positive_nuclei_are_told_by_their_dab(data_dir: Path) -> None:
    """The share of pairs, one positive and one negative, of which the positive one is the browner: 0.995."""
    dab, positive = [], []
    for image in read_set(SetSpec(name="bcdata", split=ALL_SPLITS), data_dir):
        cells = image.cells_at(MPP)
        x, y = np.floor(cells.x).astype(np.int32), np.floor(cells.y).astype(np.int32)
        density = mean_densities(image.window_at(MPP), x, y, radius_px=RADIUS_UM / MPP)
        dab.append(deconvolved(density, unit=OD_UNIT)[1])
        positive.append(cells.class_id == CellClass.POSITIVE)
    browner, is_positive = np.concatenate(dab), np.concatenate(positive)
    pairs = int(is_positive.sum()) * int((~is_positive).sum())
    assert mannwhitneyu(browner[is_positive], browner[~is_positive]).statistic / pairs > 0.99
