"""Where a map is the maximum of its window: what all ways from a map to cells begin with."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.errors import UsageError

FloatMap = npt.NDArray[np.float32]
# Half of it still lies within a tile's usual halo of 64 px, some 20 µm.
LARGEST_WINDOW_PX = 127

PixelIndices = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def local_maxima(map_: FloatMap, allowed: npt.NDArray[np.bool_], *, window_px: int) -> PixelIndices:
    """Window maxima among the `allowed` pixels, one per plateau: (rows, columns), ordered by (row, column)."""
    rows, columns = np.nonzero((window_maximum(map_, window_px) == map_) & allowed)
    first = _first_of_plateaus(map_, rows, columns)
    return rows[first], columns[first]


def window_maximum(map_: FloatMap, window_px: int) -> FloatMap:
    """The maximum over the window around each pixel: (H, W) float32; what lies beyond the map never wins."""
    check_window(window_px)
    # dilate's default border is the type's lowest value, so it can't win even over negative maps.
    return np.asarray(
        cv2.dilate(np.ascontiguousarray(map_, np.float32), np.ones((window_px, window_px), np.uint8))
    )


def check_window(window_px: int) -> None:
    """UsageError unless a window may have that side."""
    if not 3 <= window_px <= LARGEST_WINDOW_PX or window_px % 2 == 0:
        raise UsageError(
            f"is {window_px}",
            where="window_px",
            remedy=f"choose an odd number from 3 to {LARGEST_WINDOW_PX}",
        )


def no_pixels() -> PixelIndices:
    """No rows and no columns."""
    return np.zeros(0, np.intp), np.zeros(0, np.intp)


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
