"""The overview: the slide as a picture with its cells on it and a scale bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from wsi_edt.cells import Cells
from wsi_edt.geometry import FloatArray
from wsi_edt.qupath.dialect import CLASS_COLORS
from wsi_edt.slides.protocol import Slide, required_mpp
from wsi_edt.slides.window import read_overview

MAX_SIDE_PX = 4096  # a 20 mm slide at 5 µm/px: single cells still fall on single px

Picture = npt.NDArray[np.uint8]

_NUCLEUS_RADIUS_UM = 4.5
_SMALLEST_RING_PX = 3.0  # below it a ring hides the nucleus that it is drawn around
_PALER = 0.45  # the share of white, and of grey in the rest, under dots: a slide in full colour drowns them
_DOT_PX = 2  # side of a dot: where a page shows the picture smaller, single px are lost
_SUBPIXEL_BITS = 4
_CELLS_AT_A_TIME = 100_000
_ROWS_AT_A_TIME = 256
_BAR_LENGTHS_UM = tuple(factor * 10**power for power in range(5) for factor in (1, 2, 5))


def overview_mpp(dimensions: tuple[int, int], downsamples: Sequence[float], *, slide_mpp: float) -> float:
    """The µm/px at which a slide of (width, height) level-0 px is drawn.

    Its own if the longer side then has at most `MAX_SIDE_PX`, so that on small slides and fields the cells are seen on
    their nuclei. Otherwise that of a level with at most that side and at least half of it, which can be read without
    resampling; a finer one has at least four times as many px. Without such a level, what gives that side.

    Parameters
    ----------
    downsamples : of the slide's levels against level 0
    """
    smallest = max(dimensions) / MAX_SIDE_PX
    if smallest <= 1:
        return slide_mpp
    fitting = [downsample for downsample in downsamples if smallest <= downsample <= 2 * smallest]
    return slide_mpp * min(fitting, default=smallest)


def overview_png(slide: Slide, cells: Cells) -> bytes:
    """The slide as a PNG with the cells (level-0 px) drawn on it.

    Raises
    ------
    SlideError
        If the slide can't be read.
    """
    slide_mpp = required_mpp(slide)
    picture_mpp = overview_mpp(slide.dimensions, slide.level_downsamples, slide_mpp=slide_mpp)
    picture = read_overview(slide, wanted_mpp=picture_mpp)
    draw_cells(picture, cells, picture_mpp=picture_mpp, slide_mpp=slide_mpp)
    return _png(picture)


def draw_cells(picture: Picture, cells: Cells, *, picture_mpp: float, slide_mpp: float) -> None:
    """Draw the cells in QuPath's colours and a scale bar, in place: a copy would take 50 MB.

    Parameters
    ----------
    picture : (H, W, 3) uint8 RGB, the whole slide at `picture_mpp` µm/px
    cells : level-0 px of `slide_mpp` µm; those outside the picture are left out

    Notes
    -----
    A ring around each nucleus if it is large enough to be seen inside one, else a dot on a paler picture. Cells are
    drawn by position and not class by class, so that neither class hides the other where they crowd.
    """
    cells = cells.sorted_by_position()
    radius_px = _NUCLEUS_RADIUS_UM / picture_mpp
    if radius_px >= _SMALLEST_RING_PX:
        _draw_rings(picture, cells, px_per_l0=slide_mpp / picture_mpp, radius_px=radius_px)
    else:
        _draw_dots(picture, cells, px_per_l0=slide_mpp / picture_mpp)
    _draw_scale_bar(picture, picture_mpp)


def _centers(cells: Cells, px_per_l0: float) -> FloatArray:
    """The cells' centres, (N, 2) continuous px of the picture."""
    return np.stack([cells.x, cells.y], axis=1) * px_per_l0


def _colors(cells: Cells) -> Picture:
    """The cells' colours, (N, 3)."""
    return np.array([CLASS_COLORS[kind] for kind in sorted(CLASS_COLORS)], dtype=np.uint8)[cells.class_id]


def _draw_rings(picture: Picture, cells: Cells, *, px_per_l0: float, radius_px: float) -> None:
    """A circle around each cell."""
    fine = 1 << _SUBPIXEL_BITS
    # On a page a large picture is shown at about a thousand px: a line has to stay visible there, and a nucleus
    # has to stay visible in a small ring.
    width = max(1, min(int(radius_px / 4), max(2, round(max(picture.shape) / 1400))))
    radius = round(radius_px * fine)
    # OpenCV's coordinate of a pixel is its centre: half a px less than ours.
    fixed_point = np.rint((_centers(cells, px_per_l0) - 0.5) * fine).astype(np.int64)
    for center, color in zip(fixed_point.tolist(), _colors(cells).tolist(), strict=True):
        cv2.circle(picture, center, radius, color, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_dots(picture: Picture, cells: Cells, *, px_per_l0: float) -> None:
    """A dot on each cell of the faded picture."""
    _fade(picture)
    height, width = picture.shape[:2]
    for dy in range(_DOT_PX):
        for dx in range(_DOT_PX):
            for part in _parts(cells):
                corner = np.floor(_centers(part, px_per_l0) - _DOT_PX / 2 + 0.5).astype(np.int64)
                column, row = corner.T + np.array([[dx], [dy]])
                inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
                picture[row[inside], column[inside]] = _colors(part)[inside]


def _parts(cells: Cells) -> Iterator[Cells]:
    """The cells some at a time: the centres of ten million are a third of a gigabyte."""
    for start in range(0, len(cells), _CELLS_AT_A_TIME):
        part = slice(start, start + _CELLS_AT_A_TIME)
        yield Cells(cells.x[part], cells.y[part], cells.score[part], cells.class_id[part])


def _fade(picture: Picture) -> None:
    """Make the colours paler and greyer; some rows at a time, as each step takes as much memory as its rows."""
    for top in range(0, len(picture), _ROWS_AT_A_TIME):
        rows = picture[top : top + _ROWS_AT_A_TIME]
        grey = cv2.cvtColor(cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        muted = cv2.addWeighted(rows, 1 - _PALER, grey, _PALER, 0)
        white = np.full_like(rows, 255)
        rows[:] = cv2.addWeighted(muted, 1 - _PALER, white, _PALER, 0)


def _draw_scale_bar(picture: Picture, picture_mpp: float) -> None:
    """Draw a bar of up to a quarter of the picture's width at its lower left; small pictures get none."""
    height, width = picture.shape[:2]
    fitting = [length for length in _BAR_LENGTHS_UM if length / picture_mpp <= width / 4]
    if not fitting or min(width, height) < 100:
        return
    length_um = max(fitting)
    bar_px = round(length_um / picture_mpp)
    size = max(11, max(width, height) // 45)
    gap = size // 2
    # Two spaces: one is lost in a small font, and beside the stroke below.
    label = f"{length_um}  um" if length_um < 1000 else f"{length_um // 1000}  mm"
    font = ImageFont.load_default(size=size)
    box_width = max(bar_px, round(font.getlength(label))) + 2 * gap
    left = gap
    bar_height = max(2, size // 6)
    # Of the picture, only the rows and columns of the box: Pillow copies what it draws on, and back.
    box_height = bar_height + 2 * gap + size + gap // 3
    first = max(height - gap - box_height, 0)
    box = picture[first : height - gap + 1, : left + box_width + 1]
    image = Image.fromarray(box)
    draw = ImageDraw.Draw(image)
    bottom = height - gap - first
    top = bottom - box_height
    baseline = bottom - 2 * gap - bar_height
    draw.rectangle((left, top, left + box_width, bottom), fill=(255, 255, 255), outline=(120, 120, 120))
    draw.text((left + gap, baseline), label, fill=(0, 0, 0), font=font, anchor="ls")
    if "u" in label:  # Pillow's own font has no µ: its u gets the stroke that makes it one
        stroke_x = left + gap + round(font.getlength(label.partition("u")[0])) + font.getbbox("u")[0]
        stroke = (stroke_x, baseline - size // 4, stroke_x + max(1, size // 11) - 1, baseline + size // 5)
        draw.rectangle(stroke, fill=(0, 0, 0))
    draw.rectangle((left + gap, bottom - gap - bar_height, left + gap + bar_px, bottom - gap), fill=(0, 0, 0))
    box[:] = np.asarray(image)


def _png(picture: Picture) -> bytes:
    """The picture as a PNG; its channels change their order, in place."""
    cv2.cvtColor(picture, cv2.COLOR_RGB2BGR, dst=picture)
    # On a stained slide runs of equal bytes are all that zlib finds: looking for more took longer, and made it larger.
    strategy = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
    done, data = cv2.imencode(".png", picture, strategy)
    assert done, "OpenCV can't encode a PNG"
    return bytes(data.tobytes())
