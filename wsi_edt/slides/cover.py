"""How much of each unit of a tissue mask is tissue: where to look has a margin, an area must have none.

A unit that the tissue's edge cuts shows a mixture of tissue and glass, so its colour says how much of it is which, to a
tenth of a unit and with no more reading: colours mix linearly, and what an overview's blur takes from one unit it gives to
the next. workflows/benchmarks/area_error.py measures it against drawn shapes: within 2 % from 0.1 mm² on, 2.5 % for a
pale strip 0.1 mm thin, and 6 % for a piece of 0.008 mm². Counting px of 2.5 µm above a density instead lost 2 to 25 % of
pale tissue up to 1 mm², a mask eroded by two units kept 10 % too much of thin strips, and a limit at half of the tissue's
density lost 1.5 % of those and 8 % of the piece.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.slides.morphology import BoolArray, eroded
from wsi_edt.slides.protocol import RgbArray

FloatArray = npt.NDArray[np.float32]
CoverArray = npt.NDArray[np.uint8]

FULL = 255
MARGIN_UNITS = 1  # of the outline, which may be mixtures; what lies deeper is tissue
GLASS_REACH = 7  # units, to the glass and
TISSUE_REACH = 10  # to the tissue that a mixture is judged by
LEAST_CONTRAST = 3.0  # grey levels between the two, over the three channels; below it colours tell nothing
PLAIN_MARGIN_UNITS = 2  # taken off the mask then
_BAND_PX = 1 << 18
_BAND_REACH = TISSUE_REACH + MARGIN_UNITS + 2


def tissue_cover(overview: RgbArray, outlined: BoolArray, pen: BoolArray) -> CoverArray:
    """How much of each px of an overview is tissue, in 255ths: (H, W) uint8; 0 from one px beyond `outlined` on.

    Parameters
    ----------
    overview : (H, W, 3) uint8 at about 10 µm/px
    outlined : (H, W), the tissue with its mixtures; holes that it spans count as tissue
    pen : (H, W), neither tissue nor glass
    """
    cover = np.zeros(outlined.shape, np.uint8)
    deep = eroded(outlined | pen, MARGIN_UNITS) & outlined
    if not deep.any():  # nothing is wide enough to tell tissue from a mixture
        return np.where(outlined, FULL, 0).astype(np.uint8)
    usual = np.array([overview[..., channel][deep].mean() for channel in range(3)], np.float32)
    for rows, seen in _bands(*outlined.shape):
        own = slice(rows.start - seen.start, rows.stop - seen.start)
        if outlined[seen].any():
            shares = _shares(overview[seen], outlined[seen], pen[seen], deep[seen], usual)
            cover[rows] = (FULL * shares[own]).round()
    return cover


def _shares(
    overview: RgbArray, outlined: BoolArray, pen: BoolArray, deep: BoolArray, usual: FloatArray
) -> FloatArray:
    """The share of tissue in each px, (H, W) in [0, 1]; `usual` (3,) is the tissue's colour where none is deep nearby."""
    colour = overview.astype(np.float32)
    glass, _ = _mean_around(colour, ~outlined & ~pen, GLASS_REACH)
    tissue, known = _mean_around(colour, deep, TISSUE_REACH)
    tissue[~known] = usual
    contrast = glass - tissue
    square = (contrast * contrast).sum(axis=2)
    share = ((glass - colour) * contrast).sum(axis=2) / np.maximum(square, 1e-6)
    plain = eroded(outlined | pen, PLAIN_MARGIN_UNITS)
    share = np.where(square < LEAST_CONTRAST**2, plain, share.clip(0, 3))
    share = np.where(deep | pen, 1, np.where(outlined, share, 0)).astype(np.float32)
    # Dense and pale spots of the tissue itself lie above and below 1: neighbours make up for each other before the limit.
    smooth = cv2.blur(share, (3, 3), borderType=cv2.BORDER_REFLECT)
    reached = cv2.dilate(outlined.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(reached & ~pen, np.minimum(smooth, 1), 0).astype(np.float32)


def _mean_around(colour: FloatArray, held: BoolArray, reach: int) -> tuple[FloatArray, BoolArray]:
    """The mean colour (H, W, 3) of the px that are `held` within that many px, and where there are any (H, W)."""
    side = (2 * reach + 1, 2 * reach + 1)
    weight = cv2.blur(held.astype(np.float32), side, borderType=cv2.BORDER_REFLECT)
    mean = cv2.blur(colour * held[..., np.newaxis], side, borderType=cv2.BORDER_REFLECT)
    known = weight > 0.5 / (side[0] * side[1])
    return np.asarray(mean / np.where(known, weight, 1)[..., np.newaxis], np.float32), known


def _bands(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Rows some at a time, and what has to be seen for them: the means take 60 bytes a px."""
    step = max(_BAND_PX // width, _BAND_REACH)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        yield slice(top, bottom), slice(max(top - _BAND_REACH, 0), min(bottom + _BAND_REACH, height))
