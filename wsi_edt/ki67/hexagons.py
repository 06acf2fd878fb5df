"""Cells counted in a grid of regular hexagons, which leaves no gap and has no direction of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsi_edt.geometry import FloatArray

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class HexagonCounts:
    """The hexagons that hold cells, by y and x.

    Attributes
    ----------
    x, y : (H,) their centres, in the unit of the points
    positive, total : (H,) int64, the cells in each
    """

    x: FloatArray
    y: FloatArray
    positive: IntArray
    total: IntArray

    def select(self, which: BoolArray) -> HexagonCounts:
        """Those hexagons that a mask selects."""
        return HexagonCounts(self.x[which], self.y[which], self.positive[which], self.total[which])


def count_in_hexagons(x: FloatArray, y: FloatArray, positive: BoolArray, *, width: float) -> HexagonCounts:
    """The cells of each hexagon.

    A hexagon has two upright sides, `width` apart. The centre of one lies at (0, 0), so that the grid doesn't depend on
    the cells.

    Parameters
    ----------
    x, y : (N,) of any one unit
    positive : (N,) whether a cell is
    width : of a hexagon from side to side, in the same unit
    """
    row, column = _nearest(x / width, y / width)
    first_row, first_column = (int(values.min(initial=0)) for values in (row, column))
    columns = int(column.max(initial=0)) - first_column + 1
    place = (row - first_row) * columns + (column - first_column)
    total = np.bincount(place)
    held = np.flatnonzero(total)
    row, column = held // columns + first_row, held % columns + first_column
    return HexagonCounts(
        np.asarray((column + row % 2 / 2) * width),
        np.asarray(row * (_ROW_STEP * width)),
        np.bincount(place[positive], minlength=len(total))[held],
        total[held],
    )


_ROW_STEP = 3**0.5 / 2  # between rows of centres, in widths; every other row is half a width to the right


def _nearest(x: FloatArray, y: FloatArray) -> tuple[IntArray, IntArray]:
    """The row and the column (N,) of the nearest centre to each point, in widths.

    The centres are two rectangular grids, one in the middle of the other's meshes: the nearest of each, then of both.
    """
    even_row, even_column = 2 * np.rint(y / (2 * _ROW_STEP)), np.rint(x)
    odd_row, odd_column = 2 * np.floor(y / (2 * _ROW_STEP)) + 1, np.floor(x)
    to_even = (x - even_column) ** 2 + (y - even_row * _ROW_STEP) ** 2
    to_odd = (x - odd_column - 0.5) ** 2 + (y - odd_row * _ROW_STEP) ** 2
    odd = to_odd < to_even
    row, column = np.where(odd, odd_row, even_row), np.where(odd, odd_column, even_column)
    return row.astype(np.int64), column.astype(np.int64)
