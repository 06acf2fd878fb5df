"""Reads a window of a slide at any µm/px: the one place that resamples.

Frames: a window in px of `mpp` µm shares level 0's origin, so its px i covers [i, i + 1) × mpp µm. A px's colour is the
triangle-weighted mean of the level's px around its centre, in continuous coordinates (centres at + 0.5): no shift
between levels, and no aliasing.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from wsi_edt.geometry import Scale, Window
from wsi_edt.slides.pixels import WHITE, intersection
from wsi_edt.slides.protocol import RgbArray, Slide, required_mpp

LEVEL_TOLERANCE = 1.01  # a level 1 % coarser than wanted still serves: scanners' µm/px differ by that much
BLOCK_SIDE_PX = 2048  # side of what an overview reads at a time, px of the level


def best_level(slide: Slide, mpp: float) -> int:
    """The coarsest level whose px isn't larger than `mpp` µm (1 % tolerance), else level 0."""
    level_0_mpp = required_mpp(slide)
    fine_enough = [
        level
        for level, downsample in enumerate(slide.level_downsamples)
        if downsample * level_0_mpp <= mpp * LEVEL_TOLERANCE
    ]
    return max(fine_enough, key=lambda level: slide.level_downsamples[level], default=0)


def read_window(slide: Slide, window: Window, *, mpp: float) -> RgbArray:
    """Pixels (height, width, 3) uint8 RGB of a window in px of `mpp` µm; white outside the slide.

    The same place gets the same colour in every window (to the rounding of one grey level).
    Memory is that of the window at the best level: `read_overview` goes in blocks instead.

    Raises
    ------
    MissingMppError
        Where the slide's µm/px is unknown.
    SlideError
        Where the file is damaged or truncated.
    """
    level = best_level(slide, mpp)
    step = mpp / (required_mpp(slide) * slide.level_downsamples[level])  # px of the level per wanted px
    farthest = max(abs(window.x), abs(window.y), abs(window.right), abs(window.bottom))
    if abs(step - 1) * farthest < 1e-3:
        return _read_padded(slide, level, window)

    # The triangle reaches max(step, 1) px to each side; one px more for the fraction.
    margin = math.ceil(max(step, 1.0)) + 1
    left, top, right, bottom = (side * step for side in (window.x, window.y, window.right, window.bottom))
    source_x, source_y = math.floor(left) - margin, math.floor(top) - margin
    source = Window(
        source_x, source_y, math.ceil(right) + margin - source_x, math.ceil(bottom) + margin - source_y
    )
    if intersection(source, slide.level_dimensions[level]) is None:
        return _white(window)
    resized = Image.fromarray(_read_padded(slide, level, source)).resize(
        (window.width, window.height),
        Image.Resampling.BILINEAR,
        box=(left - source_x, top - source_y, right - source_x, bottom - source_y),
    )
    return np.array(resized, dtype=np.uint8)


def read_overview(slide: Slide, *, mpp: float) -> RgbArray:
    """The whole slide at `mpp` µm/px, (H, W, 3) uint8; memory is the overview's plus a block's."""
    width, height = Scale(required_mpp(slide), mpp).model_extent(*slide.dimensions)
    return read_in_blocks(slide, Window(0, 0, width, height), mpp=mpp)


def read_in_blocks(slide: Slide, window: Window, *, mpp: float) -> RgbArray:
    """`read_window`, a block at a time, for windows that are large at the level they are read from."""
    step = mpp / (required_mpp(slide) * slide.level_downsamples[best_level(slide, mpp)])
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
            pixels[row : row + block.height, column : column + block.width] = read_window(
                slide, block, mpp=mpp
            )
    return pixels


def _read_padded(slide: Slide, level: int, window: Window) -> RgbArray:
    """A window of a level that may reach beyond it: white there."""
    held = intersection(window, slide.level_dimensions[level])
    if held == window:
        return slide.read_level(level, window)
    pixels = _white(window)
    if held is not None:
        rows = slice(held.y - window.y, held.bottom - window.y)
        columns = slice(held.x - window.x, held.right - window.x)
        pixels[rows, columns] = slide.read_level(level, held)
    return pixels


def _white(window: Window) -> RgbArray:
    return np.full((window.height, window.width, 3), WHITE, dtype=np.uint8)
