from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MPP, RULER_SIZE, RULER_SQUARE_PX, ruler_pixels
from wsi_edt.errors import MissingMppError
from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide, best_level, open_slide, read_overview, read_window
from wsi_edt.slides.protocol import RgbArray


def noise_slide(width: int = 90, height: int = 70) -> ImageSlide:
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return ImageSlide(Path("noise.png"), pixels, MPP)


class Levels:
    """An ImageSlide with made-up levels that counts what is read."""

    def __init__(self, pixels: RgbArray) -> None:
        self.slide = ImageSlide(Path("levels.tif"), pixels, MPP)
        self.largest_read_px = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.slide, name)

    def read_level(self, level: int, window: Window) -> RgbArray:
        self.largest_read_px = max(self.largest_read_px, window.width * window.height)
        return self.slide.read_level(level, window)


def triangle_brute_force(pixels: RgbArray, step: float, x: int, y: int) -> npt.NDArray[np.float64]:
    """The triangle-weighted mean around the centre of px (x, y) of `step` image px, the image's px only."""
    means: npt.NDArray[np.float64] = pixels.astype(np.float64)
    for axis, index in ((0, y), (1, x)):
        centers = np.arange(pixels.shape[axis]) + 0.5
        reach = max(step, 1.0)
        weights = np.maximum(1 - np.abs(centers - (index + 0.5) * step) / reach, 0)
        means = np.tensordot(weights / weights.sum(), means, axes=(0, 0))
    return means


@pytest.mark.parametrize("mpp", [0.1, 0.2, 0.3125, 0.5, 0.7])
def test_a_pixel_is_the_triangle_mean_around_its_centre(mpp: float) -> None:
    slide = noise_slide()
    pixels = slide.read_level(0, Window(0, 0, 90, 70))
    window = Window(7, 6, 11, 9)
    read = read_window(slide, window, wanted_mpp=mpp)
    for row in range(window.height):
        for column in range(window.width):
            expected = triangle_brute_force(pixels, mpp / MPP, window.x + column, window.y + row)
            assert np.abs(read[row, column] - expected).max() <= 1.5, (column, row)


@pytest.mark.parametrize("mpp", [0.2, 0.25, 0.3125, 0.5, 0.6, 1.0, 2.2])
def test_no_level_is_shifted_or_scaled(ruler_slide_path: Path, mpp: float) -> None:
    """Red and green are x / 5 and y / 4 in level-0 px, whichever level is read."""
    with open_slide(ruler_slide_path) as slide:
        scale = mpp / MPP
        width, height = (int(side / scale) for side in RULER_SIZE)
        read = read_window(slide, Window(0, 0, width, height), wanted_mpp=mpp).astype(np.float64)
        inner = slice(3, -3)
        # A px holds floor(x / 5): 0.4 + 0.1 below the line on the mean.
        red = ((np.arange(width) + 0.5) * scale - 2.5) / 5
        green = ((np.arange(height) + 0.5) * scale - 2) / 4
        assert np.abs(read[:, inner, 0].mean(axis=0) - red[inner]).max() <= 1.0
        assert np.abs(read[inner, :, 1].mean(axis=1) - green[inner]).max() <= 1.0
        assert abs((read[:, inner, 0].mean(axis=0) - red[inner]).mean()) < 0.18  # the levels are rounded
        assert abs((read[inner, :, 1].mean(axis=1) - green[inner]).mean()) < 0.18  # the levels are rounded


@pytest.mark.parametrize("mpp", [0.3125, 0.5, 0.6, 1.0])
def test_squares_keep_their_place_to_a_tenth_of_a_pixel(ruler_slide_path: Path, mpp: float) -> None:
    """The checkerboard's edges, found by interpolation along a row, lie on multiples of 64 level-0 px."""
    with open_slide(ruler_slide_path) as slide:
        scale = mpp / MPP
        row = read_window(slide, Window(0, 5, int(1000 / scale), 1), wanted_mpp=mpp)[0, :, 2].astype(
            np.float64
        )
    middle = 120.0
    before = np.flatnonzero((row[:-1] < middle) != (row[1:] < middle))
    edges = (before + 0.5 + (middle - row[before]) / (row[before + 1] - row[before])) * scale
    expected = RULER_SQUARE_PX * np.arange(1, len(edges) + 1)
    assert len(edges) == 1000 // RULER_SQUARE_PX
    assert np.abs(edges - expected).max() < 0.1 * scale


def test_level_0_comes_back_untouched(ruler_slide_path: Path) -> None:
    with open_slide(ruler_slide_path) as slide:
        read = read_window(slide, Window(300, 200, 97, 53), wanted_mpp=MPP)
    assert np.array_equal(read, ruler_pixels()[200:253, 300:397])


@given(
    x=st.integers(-20, 70),
    y=st.integers(-20, 60),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    mpp=st.sampled_from([0.2, 0.25, 0.3125, 0.61]),
)
def test_colours_do_not_depend_on_the_window(x: int, y: int, width: int, height: int, mpp: float) -> None:
    slide = noise_slide()
    whole = read_window(slide, Window(-20, -20, 150, 150), wanted_mpp=mpp)
    part = read_window(slide, Window(x, y, width, height), wanted_mpp=mpp)
    expected = whole[y + 20 : y + 20 + height, x + 20 : x + 20 + width]
    # Noise, and steps that meet exact halves in both passes: each may be rounded to the other side.
    assert np.abs(part.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("mpp", [0.25, 0.3125, 0.2])
def test_beyond_the_slide_is_white_and_the_edge_is_the_slides(mpp: float) -> None:
    slide = ImageSlide(Path("black.png"), np.zeros((40, 50, 3), dtype=np.uint8), MPP)
    width, height = int(np.ceil(50 * MPP / mpp)), int(np.ceil(40 * MPP / mpp))
    read = read_window(slide, Window(-3, -2, width + 8, height + 7), wanted_mpp=mpp)
    expected = np.full_like(read, 255)
    expected[2 : 2 + height, 3 : 3 + width] = 0
    assert np.array_equal(read, expected)
    assert (read_window(slide, Window(10**6, -(10**6), 4, 4), wanted_mpp=mpp) == 255).all()


@pytest.mark.parametrize(
    ("mpp", "level"), [(0.1, 0), (0.25, 0), (0.49, 0), (0.496, 1), (0.5, 1), (0.99, 1), (30, 2)]
)
def test_the_best_level_is_the_coarsest_that_is_fine_enough(
    ruler_slide_path: Path, mpp: float, level: int
) -> None:
    with open_slide(ruler_slide_path) as slide:
        assert best_level(slide, mpp) == level


@pytest.mark.parametrize("window", [Window(3, 5, 40, 30), Window(-9, 50, 40, 30), Window(500, 500, 40, 30)])
@pytest.mark.parametrize("mpp", [MPP, 0.3125])
def test_a_window_is_read_into_the_array_that_is_given(window: Window, mpp: float) -> None:
    slide = noise_slide()
    place = np.full((3, 30, 40, 3), 7, np.uint8)
    assert read_window(slide, window, wanted_mpp=mpp, out=place[1]).base is place
    assert np.array_equal(place[1], read_window(slide, window, wanted_mpp=mpp))
    assert (place[[0, 2]] == 7).all()


def test_an_overview_is_one_window_read_in_blocks() -> None:
    slide = Levels(np.random.default_rng(0).integers(0, 256, (5000, 4200, 3), dtype=np.uint8))
    overview = read_overview(slide, wanted_mpp=5.0)  # type: ignore[arg-type]
    assert overview.shape == (250, 210, 3)
    assert slide.largest_read_px < 5000 * 4200 / 3
    whole = read_window(slide, Window(0, 0, 210, 250), wanted_mpp=5.0)  # type: ignore[arg-type]
    assert np.abs(overview.astype(int) - whole).max() <= 1


def test_a_slide_without_mpp_names_the_option() -> None:
    slide = ImageSlide(Path("case7.png"), np.zeros((4, 4, 3), dtype=np.uint8), None)
    with pytest.raises(MissingMppError, match=r"case7\.png has no µm/px; pass --mpp"):
        read_window(slide, Window(0, 0, 2, 2), wanted_mpp=0.3)
