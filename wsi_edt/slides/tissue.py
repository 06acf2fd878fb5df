"""Finds tissue on an overview, so that glass costs nothing and holds no cells.

A missed nucleus is lost, kept glass only costs time: every threshold leans towards keeping.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from wsi_edt.files import atomic_write
from wsi_edt.geometry import Scale, Window, area_mm2
from wsi_edt.slides.black import BlackAsWhite, unscanned_black
from wsi_edt.slides.cover import FULL, CoverArray, tissue_cover
from wsi_edt.slides.morphology import BoolArray, dilated
from wsi_edt.slides.protocol import RgbArray, Slide, required_mpp
from wsi_edt.slides.window import read_in_blocks

FloatArray = npt.NDArray[np.float32]

UNIT_PX = 32  # side of one mask px in model px: the grid that tiles lie on

# Grey levels at 10 µm/px. Glass has a local deviation of 0.1 to 1.7 (strong JPEG), Ki-67 fields a median of 2.5 to 40.
TEXTURE = 2.5
# Mean optical density against the glass. Glass that the scanner stitched unevenly (255 beside 240) differs by 0.026.
STAIN_OD = 0.04
GLASS_OD = 0.015  # what is paler, and even, is glass
CLOSING_UNITS = 2
SMALLEST_TISSUE_UNITS = 12
LARGEST_HOLE_UNITS = 100
PEN_WIDTH_UNITS = 9  # 90 µm: no clump of black nuclei is that wide without gaps, every marker's tip is
PEN_MARGIN_UNITS = 4  # a stroke's blurred edge
BAND_PX = 1 << 18  # of an overview that are worked on at a time
BAND_REACH_PX = 16  # a pen mark's opening sees 8 px far, its margin 4 more


@dataclass(frozen=True, slots=True, eq=False)
class TissueMask:
    """Where a slide holds tissue, in units of 32 × 32 model px: where to look, with a margin, and how much there is.

    Attributes
    ----------
    mask : where to look, (rows, columns) bool; unit (r, c) covers model px [32 c, 32 c + 32) × [32 r, 32 r + 32)
    unit_mpp : µm per mask px: 32 × the model's µm/px
    extent : (width, height) of the slide in whole model px; a unit at the edge may reach beyond it
    size : the same before it was rounded up to whole px; None if they are equal
    hidden_share : how much of the tissue lies hidden under pen marks, as far as what borders on them tells
    cover : how much of each unit is tissue, in 255ths, (rows, columns) uint8; None if all that is looked at counts
    black_share : how much of the slide is black because it wasn't scanned: readers must show it white
    """

    mask: BoolArray
    unit_mpp: float
    extent: tuple[int, int]
    size: tuple[float, float] | None = None
    hidden_share: float = 0.0
    cover: CoverArray | None = None
    black_share: float = 0.0

    def __post_init__(self) -> None:
        assert self.mask.dtype == np.bool_, self.mask.dtype
        assert self.mask.shape == _units(self.extent), (self.mask.shape, self.extent)
        assert self.cover is None or self.cover.shape == self.mask.shape, (self.cover, self.mask.shape)

    def holds(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> BoolArray:
        """For each point (x, y), continuous model px, whether it is where to look and on the slide: (N,) bool."""
        on_slide = (x >= 0) & (y >= 0) & (x < self.extent[0]) & (y < self.extent[1])
        column = np.clip(np.floor(x / UNIT_PX).astype(np.int64), 0, self.mask.shape[1] - 1)
        row = np.clip(np.floor(y / UNIT_PX).astype(np.int64), 0, self.mask.shape[0] - 1)
        held: BoolArray = self.mask[row, column] & on_slide
        return held

    def everywhere(self) -> TissueMask:
        """The whole slide, glass included, as what is looked at and what counts."""
        return replace(self, mask=np.ones_like(self.mask), cover=None)

    @property
    def shares(self) -> FloatArray:
        """How much of each unit is tissue: (rows, columns) in [0, 1]."""
        if self.cover is None:
            return self.mask.astype(np.float32)
        return self.cover.astype(np.float32) / np.float32(FULL)

    @property
    def area_mm2(self) -> float:
        """The tissue's area in mm², without the margin and without what reaches beyond the slide."""
        width, height = self.size or self.extent
        columns, rows = (
            np.minimum(UNIT_PX, side - UNIT_PX * np.arange(count))
            for side, count in ((width, self.mask.shape[1]), (height, self.mask.shape[0]))
        )
        return area_mm2(float(rows @ self.shares @ columns), self.unit_mpp / UNIT_PX)


def slide_tissue(slide: Slide, *, model_mpp: float) -> tuple[TissueMask, RgbArray]:
    """The slide's tissue and the overview that shows it, (rows, columns, 3) uint8, both at 32 × `model_mpp` µm/px.

    What is black because it wasn't scanned is white on the overview.

    Raises
    ------
    MissingMppError
        If the slide's µm/px is unknown.
    SlideError
        If the file is damaged or truncated.
    """
    scale = Scale(required_mpp(slide), model_mpp)
    extent = scale.model_extent(*slide.dimensions)
    rows, columns = _units(extent)
    unit_mpp = UNIT_PX * model_mpp
    overview = read_in_blocks(slide, Window(0, 0, columns, rows), wanted_mpp=unit_mpp)
    black = unscanned_black(overview)
    black_share = 0.0
    if black.any():
        shown = read_in_blocks(BlackAsWhite(slide), Window(0, 0, columns, rows), wanted_mpp=unit_mpp)
        black_share = 1.0 if black.all() else float((shown - overview).mean()) / 255
        overview = shown
    width, height = scale.to_model(np.array(slide.dimensions, np.float64)).tolist()
    seen = look_for_tissue(overview)
    found = TissueMask(
        seen.searched,
        unit_mpp,
        extent,
        (width, height),
        _hidden_share(seen.searched, seen.pen),
        tissue_cover(overview, seen.outlined, seen.pen),
        black_share,
    )
    return found, overview


@dataclass(frozen=True, slots=True, eq=False)
class SeenTissue:
    """What an overview shows, each (H, W) bool.

    Attributes
    ----------
    searched : where to look for cells; it spans gaps, and the glass between pieces that lie close
    outlined : of it, all but the glass that goes on from outside: margin, gaps between pieces, clefts that are open
    pen : pen marks
    """

    searched: BoolArray
    outlined: BoolArray
    pen: BoolArray


def find_tissue(overview: RgbArray) -> BoolArray:
    """For each px of an overview (H, W, 3) uint8 at about 10 µm/px, whether to look for cells there: (H, W) bool."""
    return look_for_tissue(overview).searched


def look_for_tissue(overview: RgbArray) -> SeenTissue:
    """Where an overview (H, W, 3) uint8 at about 10 µm/px shows tissue and pen.

    Tissue is what is stained or uneven: at 10 µm/px a single pale nucleus lifts the local deviation above that of
    glass, while a threshold on colour alone, or one taken from the slide's histogram, loses pale haematoxylin or
    fails on a field without glass. Pen marks are recognised by their colour, which no stain has, or by being solid and
    smooth over more than 90 µm; a pen over tissue hides it.
    """
    unscanned = _unscanned(overview)
    blank = dilated(unscanned, 1)  # and those beside them, which are mixtures
    if blank.all():
        return SeenTissue(*(np.zeros_like(blank) for _ in range(3)))
    glass, middle = _glass_and_mean(overview, ~blank)
    tissue, pen, pale, even = (np.zeros_like(blank) for _ in range(4))
    for rows, seen in _bands(*blank.shape):
        own = slice(rows.start - seen.start, rows.stop - seen.start)
        pixels = overview[seen].astype(np.float32)
        density = optical_density(pixels, glass)
        texture = _texture(pixels - middle, ~blank[seen])
        stain = density.mean(axis=2)
        tissue[rows] = ((texture > TEXTURE) | (stain > STAIN_OD))[own]
        pale[rows], even[rows] = (stain < GLASS_OD)[own], (texture <= TEXTURE)[own]
        pen[rows] = _pen(density)[own]
    tissue &= ~pen & ~blank
    tissue = _without_small(_closed(tissue, CLOSING_UNITS), SMALLEST_TISSUE_UNITS)
    if tissue.any():  # a slide of a few units without tissue isn't a hole
        tissue = ~_without_small(~tissue, LARGEST_HOLE_UNITS)
    searched = dilated(tissue, 1) & ~pen
    between = _open_glass(searched | pen, (pale & even) | unscanned)
    between |= dilated(between & ~unscanned, 1) & pale  # which the tissue beside it made uneven
    return SeenTissue(searched, searched & ~between, pen)


def save_tissue_picture(path: Path, overview: RgbArray, mask: BoolArray) -> None:
    """Write the overview with the mask's outline as a PNG, atomically, enlarged so that a unit can be seen.

    Parameters
    ----------
    path : the picture
    overview : (H, W, 3) uint8
    mask : (H, W) bool, of the overview's size

    Raises
    ------
    OutputError
        If the picture can't be written.
    """
    assert overview.shape[:2] == mask.shape, (overview.shape, mask.shape)
    zoom = max(1, min(8, 1200 // max(mask.shape)))
    picture = np.repeat(np.repeat(overview, zoom, axis=0), zoom, axis=1)
    enlarged = np.repeat(np.repeat(mask.astype(np.uint8), zoom, axis=0), zoom, axis=1)
    outlines, _ = cv2.findContours(enlarged, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, (0, 160, 0), max(1, zoom // 3))
    with atomic_write(path) as file:
        Image.fromarray(picture).save(file, format="PNG")


def glass_colour(pixels: FloatArray) -> FloatArray:
    """The colour of glass, or of the palest tissue if there is none: (3,) of (..., 3) grey levels."""
    return np.array([_palest(pixels[..., channel]) for channel in range(3)], dtype=np.float32)


def _palest(levels: FloatArray | npt.NDArray[np.uint8]) -> float:
    return max(float(np.percentile(levels, 98)), 1.0)


def _glass_and_mean(overview: RgbArray, valid: BoolArray) -> tuple[FloatArray, FloatArray]:
    """The glass's colour (3,) and the mean (3,) of the valid px, a channel at a time: all at once takes 20 bytes a px."""
    glass, mean = np.zeros(3, np.float32), np.zeros(3, np.float32)
    for channel in range(3):
        levels = overview[..., channel][valid]
        glass[channel], mean[channel] = _palest(levels), levels.mean()
    return glass, mean


def optical_density(pixels: FloatArray, glass: FloatArray) -> FloatArray:
    """−log10(pixels / glass), at least 0, of (..., 3) grey levels."""
    return np.maximum(-np.log10(np.maximum(pixels, 1) / glass), 0).astype(np.float32)


def _unscanned(overview: RgbArray) -> BoolArray:
    """Px that the scanner didn't scan: pure white or black."""
    return np.asarray((overview.min(axis=2) >= 254) | (overview.max(axis=2) <= 2), dtype=np.bool_)


def _bands(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Rows of an overview some at a time, and what has to be seen for them: a large slide's takes 100 bytes a px."""
    step = max(BAND_PX // width, BAND_REACH_PX)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        yield (
            slice(top, bottom),
            slice(max(top - BAND_REACH_PX, 0), min(bottom + BAND_REACH_PX, height)),
        )


def _texture(centred: FloatArray, valid: BoolArray) -> FloatArray:
    """The standard deviation over the valid px of 3 × 3, mean of the channels, grey levels: (H, W).

    Parameters
    ----------
    centred : (H, W, 3) grey levels less those of the slide's middle, which keeps float32 exact enough
    valid : (H, W)
    """
    weight = valid.astype(np.float32)
    count = np.maximum(_box_mean(weight), 1e-6)[..., np.newaxis]
    centred = centred * weight[..., np.newaxis]
    mean = _box_mean(centred) / count
    variance = _box_mean(centred * centred) / count - mean * mean
    return np.asarray(np.sqrt(np.maximum(variance, 0)).mean(axis=2), dtype=np.float32)


def _box_mean(values: FloatArray) -> FloatArray:
    return np.asarray(cv2.blur(values, (3, 3), borderType=cv2.BORDER_REFLECT_101), dtype=np.float32)


def _pen(density: FloatArray) -> BoolArray:
    """Px of pen marks: (H, W, 3) optical densities → (H, W) bool.

    Haematoxylin absorbs red and green, eosin green, DAB blue and green; none of them absorbs green least, or almost
    only red, or almost only blue. Their densities: Ruifrok and Johnston (2001).
    """
    red, green, blue = np.moveaxis(density, 2, 0)
    mean = density.mean(axis=2)
    green_ink = (red > 0.25) & (blue > 0.15) & (green < 0.7 * np.minimum(red, blue))
    green_ink |= (red > 0.25) & (blue > 0.25) & (green < 0.5 * red)
    blue_ink = (red > 0.35) & (blue < 0.3 * red)
    red_ink = (green > 0.4) & (blue > 0.65 * green) & (red < 0.2 * green)
    yellow_ink = (blue > 0.35) & (green < 0.4 * blue) & (red < 0.4 * blue)
    black_ink = (density.min(axis=2) > 0.45) & (density.min(axis=2) > 0.7 * density.max(axis=2))
    smooth = (mean > 0.3) & (_relative_deviation(mean) < 0.05)
    pen = np.zeros(mean.shape, dtype=np.bool_)
    for ink in (green_ink, blue_ink, red_ink, yellow_ink, black_ink):
        pen |= _opened(ink, PEN_WIDTH_UNITS)
    # A stroke's rim is uneven: what is smooth lies two px inside it.
    pen |= dilated(_opened(smooth, PEN_WIDTH_UNITS - 4), 2)
    return dilated(pen, PEN_MARGIN_UNITS)


def _hidden_share(tissue: BoolArray, pen: BoolArray) -> float:
    """The share of the tissue that pen marks hide: a mark hides as much as of its border is tissue."""
    if not pen.any():
        return 0.0
    marks, labels, stats, _ = cv2.connectedComponentsWithStats(pen.astype(np.uint8), connectivity=8)
    around = cv2.dilate(labels.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int64)
    border = (around > 0) & ~pen
    length = np.bincount(around[border], minlength=marks)
    on_tissue = np.bincount(around[border], weights=tissue[border], minlength=marks) / np.maximum(length, 1)
    hidden = float(stats[1:, cv2.CC_STAT_AREA] @ on_tissue[1:])
    return hidden / (hidden + int(tissue.sum())) if hidden else 0.0


def _relative_deviation(mean_density: FloatArray) -> FloatArray:
    """Local deviation of the density in proportion to its local mean; tissue has at least 0.07, most 0.2 and more."""
    centre = _box_mean(mean_density)
    variance = _box_mean(mean_density * mean_density) - centre * centre
    return (np.sqrt(np.maximum(variance, 0)) / np.maximum(centre, 0.05)).astype(np.float32)


def _opened(mask: BoolArray, width: int) -> BoolArray:
    """What is at least `width` px wide."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel), dtype=np.bool_)


def _closed(mask: BoolArray, radius: int) -> BoolArray:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel), dtype=np.bool_)


def _without_small(mask: BoolArray, smallest_px: int) -> BoolArray:
    """The mask without 8-connected parts of fewer px."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= smallest_px
    keep[0] = False  # the background
    return np.asarray(keep[labels], dtype=np.bool_)


def _open_glass(taken: BoolArray, glass: BoolArray) -> BoolArray:
    """Glass outside of what is taken, and inside as far as it goes on from there or from the picture's edge.

    Where nothing is outside, as on a field full of tissue, the palest tissue would pass for glass: then there is none.

    Parameters
    ----------
    taken : (H, W), tissue with the gaps that it spans, and pen
    glass : (H, W), what looks like it
    """
    if taken.all():
        return ~taken
    around = np.pad(~taken | glass, 1, constant_values=True)
    outside = np.pad(~taken, 1, constant_values=True)
    _, labels = cv2.connectedComponents(around.astype(np.uint8), connectivity=8)
    is_open = np.zeros(labels.max() + 1, np.bool_)
    is_open[labels[outside & around]] = True
    is_open[0] = False
    return np.asarray(is_open[labels][1:-1, 1:-1], dtype=np.bool_)


def _units(extent: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of the mask that covers a slide of that (width, height) in model px."""
    return -(-extent[1] // UNIT_PX), -(-extent[0] // UNIT_PX)
