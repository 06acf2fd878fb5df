"""Intervals from resampled blocks of tissue: cells of a block are alike, so that single cells tell too little apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from wsi_edt.geometry import FloatArray
from wsi_edt.ki67.estimate import Estimate

IntArray = npt.NDArray[np.int64]
Statistic = Callable[[FloatArray], FloatArray]

LEAST_BLOCKS = 20
REPLICATES = 1000
_SEED = 13


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Squares that hold points.

    Attributes
    ----------
    of_point : (N,) the number of each point's block, from 0, along rows
    row, column : (B,) where each block lies, from 0
    """

    of_point: IntArray
    row: IntArray
    column: IntArray

    @classmethod
    def of(cls, x: FloatArray, y: FloatArray, *, side: float) -> Blocks:
        """The blocks of that side, in the unit of the points; the corner of one lies at (0, 0)."""
        column, row = (np.floor(place / side).astype(np.int64) for place in (x, y))
        row -= row.min(initial=0)
        column -= column.min(initial=0)
        columns = int(column.max(initial=0)) + 1
        place = row * columns + column
        held = np.bincount(place) > 0
        there = np.flatnonzero(held)
        return cls((np.cumsum(held) - 1)[place], there // columns, there % columns)

    def __len__(self) -> int:
        return len(self.row)

    def sums(self, values: FloatArray) -> FloatArray:
        """The sums of the points' values (N, K) over each block: (B, K)."""
        columns = [np.bincount(self.of_point, column, minlength=len(self)) for column in values.T]
        return np.stack(columns, axis=1)

    def counts(self, kind: IntArray, kinds: int) -> FloatArray:
        """How many points of each kind, 0 to `kinds` − 1, each block holds: of (N,) kinds (B, kinds)."""
        counted = np.bincount(self.of_point * kinds + kind, minlength=len(self) * kinds)
        return counted.reshape(len(self), kinds).astype(np.float64)

    def with_neighbours(self, values: FloatArray) -> FloatArray:
        """Each block's value (B,) and those of the up to eight blocks around it, added: (B,)."""
        grid = np.zeros((int(self.row.max()) + 1, int(self.column.max()) + 1))
        grid[self.row, self.column] = values
        around = cv2.boxFilter(grid, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(around[self.row, self.column])


def estimate(
    blocks: Blocks,
    sums: FloatArray,
    statistic: Statistic,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    enough: bool = True,
) -> Estimate:
    """A statistic of the sums over all blocks, with its 95 % interval if there are at least `LEAST_BLOCKS`.

    The interval's ends are percentiles of what the statistic gives for blocks drawn with replacement, always the same
    draws. What it gives is moved so that its mean is the value: drawing some blocks twice and others never makes an entropy
    smaller than it is, and what the mean differs by is that. Then its distances from the value are stretched for what
    blocks share with those beside them, see `_widening`, and the percentiles taken farther out where blocks are few (the
    expanded percentile interval of Hesterberg, 2015).

    Parameters
    ----------
    sums : (blocks, K), of each block
    statistic : (..., K) sums → (...) values
    low, high : between which the value can lie
    enough : whether an interval is wanted at all
    """
    count = len(sums)
    value = float(statistic(sums.sum(axis=0)))
    if count < LEAST_BLOCKS or not enough:
        return Estimate(round(value, 4))
    replicates = statistic(_resampled(sums))
    away = (replicates - replicates.mean()) * _widening(blocks, sums, statistic)
    reach = float(np.sqrt(count / (count - 1)) * stdtrit(count - 1, 0.975))
    tail = float(ndtr(-reach))
    lower, upper = np.quantile(np.clip(value + away, low, high), [tail, 1 - tail]).tolist()
    return Estimate(round(value, 4), round(lower, 4), round(upper, 4))


def _resampled(sums: FloatArray) -> FloatArray:
    """The sums over as many blocks as there are, drawn with replacement: (blocks, K) → (REPLICATES, K)."""
    count = len(sums)
    drawn = np.random.default_rng(_SEED).integers(count, size=(REPLICATES, count))
    offset = np.arange(REPLICATES)[:, np.newaxis] * count
    times = np.bincount((drawn + offset).reshape(-1), minlength=REPLICATES * count)
    return np.asarray(times.reshape(REPLICATES, count).astype(np.float64) @ sums)


def _widening(blocks: Blocks, sums: FloatArray, statistic: Statistic) -> float:
    """By how much the statistic's error is larger than that of blocks which have nothing to do with each other; at least 1.

    What each block adds to the statistic is how it changes without the block. Their variance is the sum of squares if they
    are independent; if patches reach across blocks, the products with the blocks around belong to it too (Conley, 1999).
    """
    added = statistic(sums.sum(axis=0) - sums)
    added = added - added.mean()
    alone = float(added @ added)
    together = float(added @ blocks.with_neighbours(added))
    return max(together / alone, 1.0) ** 0.5 if alone > 0 else 1.0
