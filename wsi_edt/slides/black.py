"""Black that is no picture: what a brightfield scanner didn't scan, or a copy didn't reach, is read as white.

Exports of MRXS fill with black what lies between the scanned fields. The tissue beside it is tissue: next to black it would
be taken for the rim of a black pen, and the network, which has never seen such an edge, would lose its cells. Whether a
slide holds such areas is told once, from its overview; only then do its readers look for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from wsi_edt.geometry import Window
from wsi_edt.slides.morphology import BoolArray, dilated
from wsi_edt.slides.pixels import WHITE
from wsi_edt.slides.protocol import RgbArray, Slide, required_mpp

# Grey levels of a px's brightest channel. Unscanned black is 0, or little more in some exports, and JPEG smears it beside
# a picture; the darkest unit of the real slides at hand has 54, and a black marker 35.
BLACKEST_UNIT = 12
BLACKEST_PX = 16
LIT = 8  # brighter than the dark of fluorescence
UNSCANNED_UNITS = 4  # side of the least square that is black all over: 40 µm
UNSCANNED_UM = 16.0  # the same where px are read, as a window may show a corner alone
SMEAR_PX = 8  # a block of JPEG at the picture's edge is dark all over,
SMEARED = 60  # darker than this

DARKEST_BRIGHTFIELD = 60  # median grey level of what isn't black; the darkest H&E image of the data has 100
DARKEST_CHANNEL = (
    30  # median of the darkest channel there: 123 on that image, 0 where the light is of one colour
)
DIM, MOST_DIM = 60, 0.2  # the share of dim px: light on black fades into it, a picture beside it ends


def is_dark_field(overview: RgbArray) -> bool:
    """Whether an overview (H, W, 3) uint8 shows light on black, as fluorescence does; px that are black tell nothing."""
    brightest = overview.max(axis=2)
    lit = brightest > LIT
    if not lit.any():
        return False
    pixels = overview[lit]
    return bool(
        np.median(pixels) < DARKEST_BRIGHTFIELD
        or np.median(pixels.min(axis=1)) < DARKEST_CHANNEL
        or (brightest[lit] < DIM).mean() > MOST_DIM
    )


def unscanned_black(overview: RgbArray) -> BoolArray:
    """The px of an overview (H, W, 3) uint8 at about 10 µm/px that are black because nothing was scanned: (H, W).

    None of fluorescence, whose background is black.
    """
    black = np.asarray(overview.max(axis=2) <= BLACKEST_UNIT, dtype=np.bool_)
    if not black.any() or is_dark_field(overview):
        return np.zeros_like(black)
    return _opened(black, UNSCANNED_UNITS)


class BlackAsWhite:
    """A slide whose unscanned black is white, as in `whitened`."""

    def __init__(self, slide: Slide) -> None:
        self._slide = slide
        self.path = slide.path
        self.reader = slide.reader
        self.dimensions = slide.dimensions
        self.level_dimensions = slide.level_dimensions
        self.level_downsamples = slide.level_downsamples
        self.mpp = slide.mpp
        self.mpp_stated = slide.mpp_stated
        self.bounds = slide.bounds
        self.vendor = slide.vendor
        self.objective_power = slide.objective_power
        self.properties: Mapping[str, str] = slide.properties

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside a level; see `Slide.read_level`."""
        px_um = required_mpp(self._slide) * self.level_downsamples[level]
        return whitened(self._slide.read_level(level, window), px_um=px_um)

    def close(self) -> None:
        """Close the slide."""
        self._slide.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def whitened(pixels: RgbArray, *, px_um: float) -> RgbArray:
    """Pixels (H, W, 3) uint8 of `px_um` µm with white where all of 16 × 16 µm is black, and where JPEG smears its edge."""
    brightest = pixels.max(axis=2)
    black = np.asarray(brightest <= BLACKEST_PX, dtype=np.bool_)
    if not black.any():
        return pixels
    areas = _opened(black, max(round(UNSCANNED_UM / px_um), 2))
    if not areas.any():
        return pixels
    # A coarser level's px beside it are mixtures.
    unscanned = dilated(areas, 1) | (dilated(areas, SMEAR_PX) & (brightest < SMEARED))
    white = pixels.copy()
    white[unscanned] = WHITE
    return white


def _opened(mask: BoolArray, side: int) -> BoolArray:
    """What squares of `side` px inside the mask cover; beyond the picture it goes on as at its edge."""
    kernel = np.ones((side, side), np.uint8)
    around = cv2.copyMakeBorder(mask.astype(np.uint8), side, side, side, side, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(around, cv2.MORPH_OPEN, kernel)[side:-side, side:-side]
    return np.asarray(opened, dtype=np.bool_)
