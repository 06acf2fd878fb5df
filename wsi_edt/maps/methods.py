"""The ways from one map to its cells: CCLS and the paper's baselines (paper §3.2, Algorithm 1, Tables 2 and 10).

A further one is a function like these and a line in `METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wsi_edt.errors import UsageError
from wsi_edt.maps.local_maxima import FloatMap, PixelIndices, check_window, local_maxima, no_pixels

# A map that never rises above this holds no cell (Algorithm 1).
EMPTY_BELOW = 0.01
# LMDS: a share of the image's maximum, and the maximum under which there is nothing (Liang et al., FIDTM).
LMDS_SHARE = 100 / 255
LMDS_EMPTY_BELOW = 0.1


@dataclass(frozen=True, slots=True)
class Method:
    """A way from a map to its cells.

    Attributes
    ----------
    find : (map (H, W) float32, odd side of the window in px, threshold) → (rows, columns), ordered by (row, column)
    words : what it does, for model cards
    windows_px : the windows that are compared if none is asked for, the usual one first
    threshold : its publication's own; None: it belongs to the model, and is chosen by measurement
    is_relative : whether the threshold is a share of the map's maximum, in [0, 1). A cell's fate then depends on the
        strongest one in the same map. That is well defined for whole images, but not for the tiles of a slide: a cell near
        a seam would be one in this tile and none in that, and all would change with the tiles' size. So such a method
        serves training and evaluation, and a run refuses it (`wsi_edt.run.settings.refuse_relative`)
    """

    find: Callable[[FloatMap, int, float], PixelIndices]
    words: str
    windows_px: tuple[int, ...]
    threshold: float | None = None
    is_relative: bool = False


def ccls(map_: FloatMap, *, threshold: float, window_px: int = 11) -> PixelIndices:
    """The cells of one map: pixels that are the maximum of their window and exceed an absolute threshold.

    Algorithm 1's two 11×11 poolings are one of 21×21; which window is better belongs to the model. Pixels of
    one plateau (equal and 8-connected) are one cell, its first pixel in (row, column) order; equal peaks that
    don't touch are a cell each.

    Parameters
    ----------
    map_ : (H, W) float32
    threshold : the value that a cell must exceed
    window_px : odd side of the window, px

    Returns
    -------
    (rows, columns), ordered by (row, column); empty where the map never exceeds 0.01
    """
    if map_.size == 0 or float(map_.max()) <= EMPTY_BELOW:
        return no_pixels()
    return local_maxima(map_, map_ > threshold, window_px=window_px)


def lmss(map_: FloatMap, *, relative_threshold: float, window_px: int = 3) -> PixelIndices:
    """The cells of a density map: local maxima above a share of its maximum (the paper's baseline LMSS).

    Parameters
    ----------
    map_ : (H, W) float32
    relative_threshold : share of the map's maximum that a cell must exceed, in [0, 1)
    window_px : odd side of the window, px

    Returns
    -------
    (rows, columns), ordered by (row, column); empty for a map without a positive value
    """
    _check_share(relative_threshold)
    if map_.size == 0 or float(map_.max()) <= 0.0:
        return no_pixels()
    return local_maxima(map_, shares(map_) > relative_threshold, window_px=window_px)


def lmds(map_: FloatMap, *, relative_threshold: float = LMDS_SHARE, window_px: int = 3) -> PixelIndices:
    """The cells of an FIDT map: 3×3 maxima above 100/255 of its maximum, none if that is below 0.1.

    The baseline LMDS of Liang et al., Focal inverse distance transform maps. `map_`, `window_px` and the result are as
    in `lmss`; window and share are the publication's by default.
    """
    if map_.size == 0 or float(map_.max()) < LMDS_EMPTY_BELOW:
        _check_share(relative_threshold)
        return no_pixels()
    return lmss(map_, relative_threshold=relative_threshold, window_px=window_px)


def peak_local_max(map_: FloatMap, *, threshold: float, window_px: int = 11) -> PixelIndices:
    """The cells of one map as scikit-image's `peak_local_max` finds them, up to the image's edge.

    Its candidates are those of `ccls`, and so is the result but for equal ones: of those less than half a window apart it
    keeps one (with a window of 3 px all), where `ccls` keeps one of each plateau. It has no rule for empty maps but the
    threshold. `map_` and the result are as in `ccls`.
    """
    from skimage.feature import peak_local_max as of_scikit_image  # takes half a second

    if map_.size == 0:
        return no_pixels()
    check_window(window_px)
    places = of_scikit_image(  # type: ignore[no-untyped-call]
        map_, min_distance=window_px // 2, threshold_abs=threshold, exclude_border=False
    )
    ordered = places[np.lexsort((places[:, 1], places[:, 0]))]
    return ordered[:, 0], ordered[:, 1]


def shares(map_: FloatMap) -> FloatMap:
    """What share of its maximum, which must be above 0, a map has at each pixel: (H, W) float32."""
    return np.asarray(map_ / map_.max(), np.float32)


def _check_share(relative_threshold: float) -> None:
    """UsageError unless it is a share of a maximum that anything exceeds."""
    if not 0.0 <= relative_threshold < 1.0:
        raise UsageError(
            f"is {relative_threshold:g}", where="relative_threshold", remedy="choose one in [0, 1)"
        )


METHODS = {
    "ccls": Method(
        lambda map_, window_px, threshold: ccls(map_, threshold=threshold, window_px=window_px),
        "the paper's CCLS",
        windows_px=(11, 21),  # one 11×11 pooling, or the paper's two
    ),
    "lmss": Method(
        lambda map_, window_px, share: lmss(map_, relative_threshold=share, window_px=window_px),
        "LMSS",
        windows_px=(3, 11),
        is_relative=True,
    ),
    "lmds": Method(
        lambda map_, window_px, share: lmds(map_, relative_threshold=share, window_px=window_px),
        "LMDS",
        windows_px=(3,),
        threshold=LMDS_SHARE,
        is_relative=True,
    ),
    "peak_local_max": Method(
        lambda map_, window_px, threshold: peak_local_max(map_, threshold=threshold, window_px=window_px),
        "scikit-image's peak_local_max",
        windows_px=(11, 21),
    ),
}


def method_named(name: str) -> Method:
    """The method of that name; UsageError if there is none."""
    if name not in METHODS:
        raise UsageError(f"there is no method {name!r}", remedy=f"choose {', '.join(METHODS)}")
    return METHODS[name]
