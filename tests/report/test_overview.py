"""The overview: cells where they are, in their colours, at any scale."""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np
import numpy.typing as npt
import pytest

from wsi_edt.cells import Cells
from wsi_edt.report.overview import MAX_SIDE_PX, draw_cells, overview_mpp, overview_png
from wsi_edt.slides.image_reader import ImageSlide
from wsi_edt.slides.opening import open_slide

RED, BLUE, GREEN = (250, 62, 62), (112, 112, 225), (70, 165, 95)


def cells_at(points: list[tuple[float, float]], classes: list[int]) -> Cells:
    xy = np.array(points, dtype=np.float64).reshape(-1, 2)
    return Cells(xy[:, 0].copy(), xy[:, 1].copy(), np.ones(len(xy), np.float32), np.array(classes, np.uint8))


def blank(width: int, height: int) -> npt.NDArray[np.uint8]:
    return np.full((height, width, 3), 255, np.uint8)


def drawn_on(
    picture: npt.NDArray[np.uint8], cells: Cells, *, picture_mpp: float, slide_mpp: float
) -> npt.NDArray[np.uint8]:
    drawn = picture.copy()
    draw_cells(drawn, cells, picture_mpp=picture_mpp, slide_mpp=slide_mpp)
    return drawn


def decoded(png: bytes) -> npt.NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture[:, :, ::-1], np.uint8)


def where(picture: npt.NDArray[np.uint8], color: tuple[int, int, int]) -> npt.NDArray[np.intp]:
    """(x, y) indices of the px of a colour, (N, 2)."""
    return np.argwhere((picture == color).all(axis=2))[:, ::-1]


@pytest.mark.parametrize(
    ("dimensions", "slide_mpp", "expected"),
    [((640, 640), 0.25, 0.25), ((4096, 10), 0.5, 0.5), ((81_920, 40_000), 0.25, 5.0), ((10, 8192), 0.5, 1.0)],
)
def test_small_slides_keep_their_resolution_and_large_ones_fit(
    dimensions: tuple[int, int], slide_mpp: float, expected: float
) -> None:
    assert overview_mpp(dimensions, (1.0,), slide_mpp=slide_mpp) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("downsamples", "expected"),
    # 81,920 px: a level of 5,120 px is too large, one of 2,560 px is read as it is, one of 1,280 px shows too little.
    [((1.0, 4.0, 16.0, 32.0), 8.0), ((1.0, 4.0, 16.0, 64.0), 5.0), ((1.0, 20.0), 5.0), ((1.0, 40.0), 10.0)],
)
def test_a_level_of_the_right_size_is_drawn_as_it_is(downsamples: tuple[float, ...], expected: float) -> None:
    found = overview_mpp((81_920, 40_000), downsamples, slide_mpp=0.25)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(("class_id", "color"), [(0, BLUE), (1, RED), (2, GREEN)])
def test_a_ring_lies_around_its_nucleus(class_id: int, color: tuple[int, int, int]) -> None:
    picture = blank(300, 200)
    drawn = drawn_on(picture, cells_at([(300.5, 120.25)], [class_id]), picture_mpp=0.5, slide_mpp=0.25)
    assert len(where(drawn, color)) > 20
    # Px that are more colour than white; the scale bar is below.
    found = np.argwhere(drawn[:150].min(axis=2) < (255 + min(color)) / 2)[:, ::-1]
    # Level-0 (300.5, 120.25) of 0.25 µm is (150.25, 60.125) at 0.5 µm; px centres are at + 0.5.
    distance = np.hypot(found[:, 0] + 0.5 - 150.25, found[:, 1] + 0.5 - 60.125)
    assert np.mean(found + 0.5, axis=0) == pytest.approx((150.25, 60.125), abs=0.3)
    assert np.median(distance) == pytest.approx(9.0, abs=0.3)  # 4.5 µm
    assert distance == pytest.approx(9.0, abs=2.7)  # a line of 2 px and its soft edge
    assert (drawn[60, 150] == 255).all(), "the nucleus itself is painted over"


def test_dots_lie_on_their_cells_and_the_picture_fades() -> None:
    picture = np.full((150, 200, 3), (200, 100, 40), np.uint8)
    cells = cells_at([(2000.0, 400.0), (2000.0, 800.0)], [1, 0])
    drawn = drawn_on(picture, cells, picture_mpp=5.0, slide_mpp=0.25)
    for color, (x, y) in ((RED, (100, 20)), (BLUE, (100, 40))):
        found = where(drawn, color)
        assert sorted(map(tuple, found.tolist())) == [(x - 1, y - 1), (x - 1, y), (x, y - 1), (x, y)]
    red, green, blue = drawn[75, 150].tolist()
    assert red > 200, "the picture isn't paler"
    assert red - blue < 160, "the picture isn't greyer"
    assert red > green > blue


def test_where_cells_crowd_neither_class_hides_the_other() -> None:
    rng = np.random.default_rng(3)
    n = 40_000
    cells = Cells(
        rng.uniform(0, 4000, n),
        rng.uniform(0, 4000, n),
        np.ones(n, np.float32),
        (rng.random(n) < 0.5).astype(np.uint8),
    )
    drawn = drawn_on(blank(200, 200), cells, picture_mpp=5.0, slide_mpp=0.25)
    red, blue = len(where(drawn, RED)), len(where(drawn, BLUE))
    assert red + blue > 0.8 * 200 * 200, "the cells don't crowd"
    assert red / (red + blue) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("mpp", [0.25, 5.0])
def test_cells_at_and_beyond_the_edge_are_no_trouble(mpp: float) -> None:
    points = [(0.0, 0.0), (-1e6, 5.0), (1e6, 1e6), (3999.99, 3999.99)]
    drawn_on(blank(150, 150), cells_at(points, [0, 1, 2, 1]), picture_mpp=mpp, slide_mpp=0.25)


def test_no_cells_leave_the_slide_to_be_seen() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (90, 90, 3)).astype(np.uint8)  # too small for a bar
    drawn = drawn_on(picture, Cells.empty(), picture_mpp=0.25, slide_mpp=0.25)
    np.testing.assert_array_equal(drawn, picture)


@pytest.mark.parametrize(
    ("width", "mpp", "length_um"), [(640, 0.25, 20), (1000, 0.5, 100), (4000, 5.0, 5000)]
)
def test_the_scale_bar_is_as_long_as_it_says(width: int, mpp: float, length_um: int) -> None:
    picture = np.full((300, width, 3), 128, np.uint8)
    drawn = drawn_on(picture, Cells.empty(), picture_mpp=mpp, slide_mpp=0.25)
    black = (drawn == 0).all(axis=2)
    longest = max(_longest_run(row) for row in black)
    assert longest == pytest.approx(length_um / mpp, abs=1)


def _longest_run(row: npt.NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    return int(max(np.diff(edges)[::2], default=0))


@pytest.mark.parametrize(("side", "slide_mpp"), [(600, 0.25), (5000, 0.25)])
def test_the_file_shows_the_slide_with_its_cells(tmp_path: Path, side: int, slide_mpp: float) -> None:
    """A slide with one dark square: on the overview the ring is around it, whatever the scale."""
    pixels = np.full((side, side, 3), 240, np.uint8)
    x, y = side - 200, side // 3
    pixels[y - 8 : y + 8, x - 8 : x + 8] = 20
    slide = ImageSlide(tmp_path / "a.png", pixels, slide_mpp)
    drawn = decoded(overview_png(slide, cells_at([(x, y)], [1])))
    assert max(drawn.shape[:2]) == min(side, MAX_SIDE_PX)
    dark = np.argwhere(drawn[: drawn.shape[0] * 2 // 3].max(axis=2) < 60)[:, ::-1]
    assert len(dark) > 50
    ring = where(drawn, RED)
    np.testing.assert_allclose(ring.mean(axis=0), dark.mean(axis=0), atol=0.6)


@pytest.mark.slide
def test_annotated_nuclei_are_in_their_rings(data_dir: Path, tmp_path: Path) -> None:
    """BCData's own points on BCData's own picture: inside the red rings it is darker than around."""
    with h5py.File(data_dir / "bcdata/annotations/train/positive/0.h5") as file:
        points = file["coordinates"][:].astype(np.float64) + 0.5
    path = data_dir / "bcdata/images/train/0.png"
    cells = cells_at([(x, y) for x, y in points], [1] * len(points))
    with open_slide(path, 0.25) as slide:
        drawn = decoded(overview_png(slide, cells))
    column, row = np.clip(points.astype(int), 0, 639).T
    assert len(where(drawn, RED)) > 1000
    assert np.median(drawn[row, column].mean(axis=1)) < 0.5 * np.median(drawn.mean(axis=2))
