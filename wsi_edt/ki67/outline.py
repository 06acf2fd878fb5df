"""Which units of the tissue mask a disc or square around the centre of one of them covers, as runs of each row."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum

import numpy as np
import numpy.typing as npt

from wsi_edt.ki67.place import Shape

Runs = tuple[tuple[int, int], ...]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_ROUNDING = 1e-6  # of a unit: a cell on the outline may be reckoned on either side of it


class Cover(Enum):
    """Which units count; the value is by how much of a unit the outline has to go on."""

    WHOLE = 0.5  # those that lie inside
    CENTRED = 0.0  # those whose centre does
    TOUCHED = -0.5  # those of which any part does


def unit_runs(shape: Shape, reach: float, cover: Cover) -> Runs:
    """The rows of units that a field covers, as (row, half): of that row the columns from −half to half.

    Parameters
    ----------
    reach : the field's radius or half its side, in units; rows and columns are counted from the unit that it is around
    cover : which units count
    """
    # Units that may be touched are reckoned a little wider, those wholly inside a little narrower.
    reach -= math.copysign(_ROUNDING, cover.value) if cover.value else 0.0
    half_at: Callable[[float], float] = (
        (lambda rise: reach) if shape is Shape.SQUARE else (lambda rise: math.sqrt(reach**2 - rise**2))
    )
    runs = []
    for row in range(-math.ceil(reach) - 1, math.ceil(reach) + 2):
        rise = max(abs(row) + cover.value, 0.0)
        if rise <= reach and (half := math.floor(half_at(rise) - cover.value)) >= 0:
            runs.append((row, half))
    return tuple(runs)


def apart(shape: Shape, dx: FloatArray, dy: FloatArray, reach: FloatArray) -> BoolArray:
    """Whether fields don't overlap whose centres are (dx, dy) from each other and whose reaches add up to `reach`: (N,)."""
    distance = np.maximum(np.abs(dx), np.abs(dy)) if shape is Shape.SQUARE else np.hypot(dx, dy)
    return np.asarray(distance >= reach)
