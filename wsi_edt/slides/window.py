"""Reads a window of a slide at any µm/px: the one place that resamples.

Frames: a window in px of `wanted_mpp` µm shares level 0's origin, so its px i covers [i, i + 1) × `wanted_mpp` µm. A px's
colour is the triangle-weighted mean of the level's px around its centre, in continuous coordinates (centres at + 0.5): no
shift between levels, and no aliasing.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from wsi_edt.geometry import Scale, Window
from wsi_edt.slides.pixels import WHITE, inside, intersection
from wsi_edt.slides.protocol import RgbArray, Slide, required_mpp

LEVEL_TOLERANCE = 1.01  # a level 1 % coarser than wanted still serves: scanners' µm/px differ by that much
BLOCK_SIDE_PX = 2048  # side of what an overview reads at a time, px of the level


def best_level(slide: Slide, wanted_mpp: float) -> int:
    """The coarsest level whose px isn't larger than `wanted_mpp` µm (1 % tolerance), else level 0."""
    level_0_mpp = required_mpp(slide)
    fine_enough = [
        level
        for level, downsample in enumerate(slide.level_downsamples)
        if downsample * level_0_mpp <= wanted_mpp * LEVEL_TOLERANCE
    ]
    return max(fine_enough, key=lambda level: slide.level_downsamples[level], default=0)


def read_window(slide: Slide, window: Window, *, wanted_mpp: float, out: RgbArray | None = None) -> RgbArray:
    """Pixels (height, width, 3) uint8 RGB of a window in px of `wanted_mpp` µm; white outside the slide.

    The same place gets the same colour in every window (but for rounding: two grey levels). A px that the slide's
    edge cuts takes its colour from the slide alone. Memory is that of the window at the best level:
    `read_overview` goes in blocks instead.

    Parameters
    ----------
    out : takes the pixels and is returned, for example a place in a batch; by default a new array

    Raises
    ------
    MissingMppError
        If the slide's µm/px is unknown.
    SlideError
        If the file is damaged or truncated.
    """
    extent = Scale(required_mpp(slide), wanted_mpp).model_extent(*slide.dimensions)
    pixels = np.empty((window.height, window.width, 3), np.uint8) if out is None else out
    shown = intersection(window, extent)
    if shown != window:
        pixels.fill(WHITE)
    if shown is not None:
        rows = slice(shown.y - window.y, shown.bottom - window.y)
        columns = slice(shown.x - window.x, shown.right - window.x)
        pixels[rows, columns] = _resampled(slide, shown, wanted_mpp=wanted_mpp)
    return pixels


def _resampled(slide: Slide, window: Window, *, wanted_mpp: float) -> RgbArray:
    """A window in px of `wanted_mpp` µm, each of which covers some of the slide; not to be written to."""
    level = best_level(slide, wanted_mpp)
    level_size = slide.level_dimensions[level]
    step = wanted_mpp / (
        required_mpp(slide) * slide.level_downsamples[level]
    )  # px of the level per wanted px
    if abs(step - 1) * max(window.right, window.bottom) < 1e-3 and inside(window, level_size):
        return slide.read_level(level, window)

    # The triangle reaches max(step, 1) px from a centre that lies at most half a step beyond the slide. Mirrored
    # there, that is 1.5 steps; two px more for fractions and for levels rounded down.
    margin = 2 * math.ceil(max(step, 1.0)) + 2
    left, top, right, bottom = (side * step for side in (window.x, window.y, window.right, window.bottom))
    source_x, source_y = math.floor(left) - margin, math.floor(top) - margin
    source = Window(
        source_x, source_y, math.ceil(right) + margin - source_x, math.ceil(bottom) + margin - source_y
    )
    resized = Image.fromarray(_read_mirrored(slide, level, source)).resize(
        (window.width, window.height),
        Image.Resampling.BILINEAR,
        box=(left - source_x, top - source_y, right - source_x, bottom - source_y),
    )
    return np.asarray(resized)


def _read_mirrored(slide: Slide, level: int, window: Window) -> RgbArray:
    """A window of a level that may reach beyond it: there it is mirrored."""
    held = intersection(window, slide.level_dimensions[level])
    assert held is not None, (level, window)
    pixels = slide.read_level(level, held)
    if held == window:
        return pixels
    return np.pad(
        pixels,
        (
            (held.y - window.y, window.bottom - held.bottom),
            (held.x - window.x, window.right - held.right),
            (0, 0),
        ),
        mode="symmetric",
    )


def read_overview(slide: Slide, *, wanted_mpp: float) -> RgbArray:
    """The whole slide at `wanted_mpp` µm/px, (H, W, 3) uint8; memory is the overview's plus a block's."""
    width, height = Scale(required_mpp(slide), wanted_mpp).model_extent(*slide.dimensions)
    return read_in_blocks(slide, Window(0, 0, width, height), wanted_mpp=wanted_mpp)


def read_in_blocks(slide: Slide, window: Window, *, wanted_mpp: float) -> RgbArray:
    """`read_window`, a block at a time, for windows that are large at the level they are read from."""
    step = wanted_mpp / (required_mpp(slide) * slide.level_downsamples[best_level(slide, wanted_mpp)])
    block_px = max(int(BLOCK_SIDE_PX / step), 1)
    pixels = np.empty((window.height, window.width, 3), dtype=np.uint8)
    for row in range(0, window.height, block_px):
        for column in range(0, window.width, block_px):
            block = Window(
                window.x + column,
                window.y + row,
                min(block_px, window.width - column),
                min(block_px, window.height - row),
            )
            place = pixels[row : row + block.height, column : column + block.width]
            read_window(slide, block, wanted_mpp=wanted_mpp, out=place)
    return pixels
