"""From location maps to cells: CCLS and the paper's baselines LMSS and LMDS (paper §3.2, Algorithm 1).

`decode` is the one place where maps become points, classes and scores; validation and inference share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass
from wsi_edt.errors import UsageError

FloatMap = npt.NDArray[np.float32]
Evidence = Literal["max", "sum", "nucleus"]
PixelIndices = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]

MAP_NAMES = ("positive", "negative", "nucleus")
# A map that never rises above this holds no cell (Algorithm 1).
EMPTY_BELOW = 0.01
# LMDS: a share of the image's maximum, and the maximum under which there is nothing (Liang et al., FIDTM).
LMDS_SHARE = 100 / 255
LMDS_EMPTY_BELOW = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """N peaks of one set of maps, ordered by (y, x).

    Attributes
    ----------
    x, y : (N,) int32, column and row of the pixel
    score : (N,) float32, the evidence there
    class_id : (N,) uint8, values of `CellClass`
    """

    x: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]
    class_id: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        assert self.x.shape == self.y.shape == self.score.shape == self.class_id.shape == (len(self.x),)
        assert self.x.dtype == self.y.dtype == np.int32, (self.x.dtype, self.y.dtype)
        assert self.score.dtype == np.float32, self.score.dtype
        assert self.class_id.dtype == np.uint8, self.class_id.dtype

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How a model's maps become cells; part of the model.

    Attributes
    ----------
    maps : names of the network's output maps in their order, of `MAP_NAMES`
    evidence : the map that cells are looked for in: the pixelwise maximum or the sum of positive and negative, or nucleus
    window_px : odd side of CCLS's window, in map px
    threshold : the evidence that a cell must exceed, absolute: with a share of the tile's maximum, a cell's neighbours
        would decide whether it is found

    Raises
    ------
    UsageError
        If there is no such map, evidence, window or threshold, or the evidence needs other maps.
    """

    maps: tuple[str, ...]
    evidence: Evidence
    window_px: int
    threshold: float

    def __post_init__(self) -> None:
        names = ", ".join(self.maps)
        if not self.maps or len(set(self.maps)) != len(self.maps) or not set(self.maps) <= set(MAP_NAMES):
            raise UsageError(
                f"a model can't have the maps [{names}]",
                remedy=f"name different ones of {', '.join(MAP_NAMES)}",
            )
        if self.evidence not in ("max", "sum", "nucleus"):
            raise UsageError(f"there is no evidence {self.evidence!r}", remedy="choose max, sum or nucleus")
        if ("positive" in self.maps) != ("negative" in self.maps):
            raise UsageError(f"positive and negative maps come together; the maps are {names}")
        needed = {"nucleus"} if self.evidence == "nucleus" else {"positive", "negative"}
        if not needed <= set(self.maps):
            raise UsageError(
                f"evidence {self.evidence!r} needs the maps {', '.join(sorted(needed))}; the maps are {names}"
            )
        _check_window(self.window_px)
        if not 0.0 <= self.threshold < float("inf"):
            raise UsageError(f"there is no threshold {self.threshold:g}", remedy="choose 0 or more")

    @property
    def radius_px(self) -> int:
        """Half the window: the least distance of two peaks less one, Chebyshev; stitching uses the same."""
        return self.window_px // 2


def decode(maps: FloatMap, settings: DecodeSettings) -> Peaks:
    """The cells of one tile's maps.

    CCLS finds them on the evidence map; the higher of the positive and the negative map there decides their class
    (negative on a tie), so that one cell is never counted once per class.

    Parameters
    ----------
    maps : (C, H, W) float32, the network's maps in the order of `settings.maps`
    settings : the model's

    Returns
    -------
    Peaks, ordered by (y, x), in px of the maps; the score is the evidence at the peak
    """
    assert maps.ndim == 3, maps.shape
    assert len(maps) == len(settings.maps), (maps.shape, settings.maps)
    named = dict(zip(settings.maps, maps, strict=True))
    if settings.evidence == "nucleus":
        evidence = named["nucleus"]
    elif settings.evidence == "max":
        evidence = np.maximum(named["positive"], named["negative"])
    else:
        evidence = named["positive"] + named["negative"]
    rows, columns = ccls(evidence, window_px=settings.window_px, threshold=settings.threshold)
    if "positive" in named:
        is_positive = named["positive"][rows, columns] > named["negative"][rows, columns]
        class_id = np.where(is_positive, np.uint8(CellClass.POSITIVE), np.uint8(CellClass.NEGATIVE))
    else:
        class_id = np.full(len(rows), CellClass.NUCLEUS, np.uint8)
    score = evidence[rows, columns].astype(np.float32)
    return Peaks(columns.astype(np.int32), rows.astype(np.int32), score, class_id.astype(np.uint8))


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
        return _no_pixels()
    return _local_maxima(map_, map_ > threshold, window_px=window_px)


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
    if not 0.0 <= relative_threshold < 1.0:
        raise UsageError(
            f"is {relative_threshold}", where="relative_threshold", remedy="choose one in [0, 1)"
        )
    if map_.size == 0 or float(map_.max()) <= 0.0:
        return _no_pixels()
    return _local_maxima(map_, map_ > relative_threshold * map_.max(), window_px=window_px)


def lmds(map_: FloatMap) -> PixelIndices:
    """The cells of an FIDT map: 3×3 maxima of at least 100/255 of its maximum, none if that is below 0.1.

    The baseline LMDS of Liang et al., Focal inverse distance transform maps. `map_` and the result are as in
    `ccls`.
    """
    if map_.size == 0 or float(map_.max()) < LMDS_EMPTY_BELOW:
        return _no_pixels()
    return _local_maxima(map_, map_ >= np.float32(LMDS_SHARE) * map_.max(), window_px=3)


def window_maximum(map_: FloatMap, window_px: int) -> FloatMap:
    """The maximum over the window around each pixel: (H, W) float32; what lies beyond the map never wins."""
    _check_window(window_px)
    # dilate's default border is the type's lowest value, so it can't win even over negative maps.
    return np.asarray(
        cv2.dilate(np.ascontiguousarray(map_, np.float32), np.ones((window_px, window_px), np.uint8))
    )


def _local_maxima(map_: FloatMap, allowed: npt.NDArray[np.bool_], *, window_px: int) -> PixelIndices:
    """Window maxima among the `allowed` pixels, one per plateau, ordered by (row, column)."""
    rows, columns = np.nonzero((window_maximum(map_, window_px) == map_) & allowed)
    first = _first_of_plateaus(map_, rows, columns)
    return rows[first], columns[first]


def _first_of_plateaus(
    map_: FloatMap, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Which candidates, given in (row, column) order, are the first of their plateau.

    Plateaus are followed over the map and not over the candidates: one that passes a higher peak has
    candidates at both ends, and is one cell all the same.
    """
    keep = np.ones(len(rows), bool)
    _, value_index, value_counts = np.unique(map_[rows, columns], return_inverse=True, return_counts=True)
    twins = np.flatnonzero(value_counts[value_index] > 1)
    if len(twins) == 0:
        return keep
    values = np.array(map_, np.float32, order="C")
    # floodFill's mask has a frame of one pixel; 8-connected, equal values only, the filled pixels marked 1.
    seen = np.zeros((values.shape[0] + 2, values.shape[1] + 2), np.uint8)
    flags = 8 | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
    for twin in twins.tolist():
        row, column = int(rows[twin]), int(columns[twin])
        if seen[row + 1, column + 1]:
            keep[twin] = False
        else:
            cv2.floodFill(values, seen, (column, row), 0, 0, 0, flags)
    return keep


def _check_window(window_px: int) -> None:
    if window_px < 3 or window_px % 2 == 0:
        raise UsageError(f"is {window_px}", where="window_px", remedy="choose an odd number of at least 3")


def _no_pixels() -> PixelIndices:
    return np.zeros(0, np.intp), np.zeros(0, np.intp)
