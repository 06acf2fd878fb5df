"""The interval of an index from blocks of tissue, which are alike within and differ from each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, expit, logit

from wsi_edt.cells import CellClass, Cells
from wsi_edt.ki67.covariance import FloatArray, Spread, Squares, fitted_spread

SQUARE_MM = 0.125
LEAST_BLOCK_MM = 0.5
REACHES = 1.25  # of the covariance that a block is wide
FEWEST_BLOCKS = 20
MOST_BLOCKS = 1000  # more change nothing but the time
FEWEST_OF_A_CLASS = 10  # blocks that hold positive cells, and blocks that hold negative ones
RESAMPLES = 1999
SEED = 20
_MOST_SQUARES = 1 << 18  # a whole slide of 25 × 75 mm has half as many
_TAIL = 0.025


class NoInterval(StrEnum):
    """Why an index has no interval, in words, as ki67.json has them."""

    NO_INDEX = "no index"
    FEW_BLOCKS = "fewer than 20 blocks of tissue"
    LARGE_BLOCKS = "cells are alike so far apart that there are fewer than 20 independent blocks of tissue"


@dataclass(frozen=True, slots=True)
class Without:
    """That an index has no interval.

    Attributes
    ----------
    blocks : how many independent blocks of tissue there are, as blocks of equal counts; None if none were made
    block_mm : the side that a block needs
    """

    reason: NoInterval
    blocks: int | None = None
    block_mm: float | None = None

    def __str__(self) -> str:
        return str(self.reason)


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """An index's 95 % interval, and how likely it lies above any value.

    Attributes
    ----------
    low_percent, high_percent : its ends
    blocks : of tissue that hold cells
    block_mm : the side of one
    drawn_percent : (`RESAMPLES`,) float64, ascending: what the index may be, each as likely as the others
    """

    low_percent: float
    high_percent: float
    blocks: int
    block_mm: float
    drawn_percent: FloatArray

    def probability_above(self, percent: float) -> float:
        """How likely the index lies above that value; never quite 0 or 1, which no number of draws shows."""
        above = len(self.drawn_percent) - int(np.searchsorted(self.drawn_percent, percent, side="right"))
        return (above + 0.5) / (len(self.drawn_percent) + 1)


def index_interval(cells: Cells, *, mm_per_px: float) -> Interval | Without:
    """The interval of the index of these cells (level-0 px, each of `mm_per_px`), or why there is none.

    It holds for tissue like this: what the index would be if there were more of it. How alike cells are by their distance
    is fitted (see `fitted_spread`), which gives the index's variance, and the side of the blocks: 1.25 times the distance
    over which cells are alike, at least 0.5 mm. The blocks are resampled for the shape of the distribution: in each of
    1,999 resamples (seeded) the logit of the index, less the real one, is divided by its error from the blocks; times the
    real error, from the fit, that is by how much the index may be wrong (bootstrap-t: Efron and Tibshirani (1993), ch.
    12). To each side the wider one of that and of its symmetric form (Hall 1988) counts: where a few blocks hold most of
    the positive cells, either alone is too narrow. Where fewer than ten blocks hold positive cells, or negative ones,
    resampling has nothing to go by; see `_of_few`.

    There is none if the tissue has fewer than 20 blocks. Blocks that hold few cells count as less than one: the
    number is (sum of n)² / sum of n², n cells a block. workflows/benchmarks/interval_coverage.py shows how often the
    interval holds the truth.
    """
    classified = cells.class_id != CellClass.NUCLEUS
    squares = _counted(cells, classified, mm_per_px)
    if squares is None:
        return Without(NoInterval.FEW_BLOCKS, blocks=0)
    side = _sides(LEAST_BLOCK_MM, squares)
    there = _effective(squares.blocks(side)[1])
    if there < FEWEST_BLOCKS:
        return Without(NoInterval.FEW_BLOCKS, int(there), side * squares.side_mm)
    spread = fitted_spread(squares)
    side = _sides(max(LEAST_BLOCK_MM, REACHES * spread.reach_mm), squares)
    positive, counted = squares.blocks(side)
    while len(counted) > MOST_BLOCKS:
        side = math.ceil(side * math.sqrt(len(counted) / MOST_BLOCKS))
        positive, counted = squares.blocks(side)
    there = _effective(counted)
    if there < FEWEST_BLOCKS:
        return Without(NoInterval.LARGE_BLOCKS, int(there), side * squares.side_mm)
    if min(np.count_nonzero(positive), np.count_nonzero(counted - positive)) < FEWEST_OF_A_CLASS:
        drawn = _of_few(squares, spread)
    else:
        drawn = _resampled(positive, counted, spread)
    low, high = np.quantile(drawn, (_TAIL, 1 - _TAIL))
    return Interval(float(low), float(high), len(counted), side * squares.side_mm, drawn)


def _counted(cells: Cells, classified: npt.NDArray[np.bool_], mm_per_px: float) -> Squares | None:
    """The cells with a class on a grid of squares; None without any. A grid that would get too large has larger squares."""
    x, y = (values[classified] * mm_per_px for values in (cells.x, cells.y))
    if not len(x):
        return None
    x, y = x - x.min(), y - y.min()
    width, height = float(x.max()), float(y.max())
    times = max(math.ceil(math.sqrt(width * height / _MOST_SQUARES) / SQUARE_MM), 1)
    side = times * SQUARE_MM
    rows, columns = int(height / side) + 1, int(width / side) + 1
    place = (y / side).astype(np.int64) * columns + (x / side).astype(np.int64)
    is_positive = cells.class_id[classified] == CellClass.POSITIVE
    positive, counted = (
        np.bincount(which, minlength=rows * columns).astype(np.float64).reshape(rows, columns)
        for which in (place[is_positive], place)
    )
    return Squares(positive, counted, side)


def _sides(side_mm: float, squares: Squares) -> int:
    """How many squares wide a block of at least that side is."""
    return math.ceil(round(side_mm / squares.side_mm, 6))


def _effective(counted: FloatArray) -> float:
    """How many blocks of equal counts would tell as much."""
    return float(counted.sum() ** 2 / (counted**2).sum())


def _resampled(positive: FloatArray, counted: FloatArray, spread: Spread) -> FloatArray:
    """What the index may be, %, ascending: from resampled blocks, whose spread is brought to the fitted one."""
    blocks = len(counted)
    share, _ = _share_and_error(positive, counted, np.ones((1, blocks)))
    chosen = np.random.default_rng(SEED).integers(0, blocks, (RESAMPLES, blocks))
    chosen += blocks * np.arange(RESAMPLES)[:, np.newaxis]
    times = np.bincount(chosen.ravel(), minlength=RESAMPLES * blocks).reshape(RESAMPLES, blocks)
    shares, errors = _share_and_error(positive, counted, times.astype(np.float64))
    in_errors = np.sort((logit(share) - logit(shares)) / errors)
    symmetric = np.sort(np.concatenate([in_errors, -in_errors])).reshape(-1, 2).mean(axis=1)
    below = np.arange(RESAMPLES) < RESAMPLES // 2
    wider = np.where(below, np.minimum(in_errors, symmetric), np.maximum(in_errors, symmetric))
    error = math.sqrt(spread.variance) / (share * (1 - share))
    return np.asarray(100 * expit(logit(share) + error * wider))


def _share_and_error(
    positive: FloatArray, counted: FloatArray, times: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The share of positive cells of blocks that are taken several times, and the standard error of its logit.

    The error is that of a ratio of sums, by its linear part (Cochran (1977), Sampling Techniques, ch. 6).

    Parameters
    ----------
    positive, counted : (B,)
    times : (R, B) how often each block is taken
    """
    blocks = len(counted)
    total = times @ counted
    least = 0.5 / total  # of a cell: in one of thousands of resamples none may be positive, or all
    share = np.clip(times @ positive / total, least, 1 - least)
    squared = (
        times @ positive**2 - 2 * share * (times @ (positive * counted)) + share**2 * (times @ counted**2)
    )
    error = np.sqrt(blocks / (blocks - 1) * np.maximum(squared, 1)) / total
    return share, error / (share * (1 - share))


def _of_few(squares: Squares, spread: Spread) -> FloatArray:
    """What the index may be, %, ascending, where hardly any cells are positive, or negative.

    The exact interval of a share (Clopper and Pearson 1934) of as many independent cells as would vary like these (Korn
    and Graubard 1998, Survey Methodology 24). Where none is positive, or all are, nothing tells how alike cells are, and
    each square counts as one cell.
    """
    share = float(squares.positive.sum() / squares.counted.sum())
    if spread.variance > 0:
        cells = share * (1 - share) / spread.variance
    else:
        cells = _effective(squares.counted[squares.counted > 0])
    positive = share * cells
    tail = (np.arange(RESAMPLES) + 0.5) / RESAMPLES
    below = betaincinv(positive, cells - positive + 1, tail) if positive > 0 else np.zeros(RESAMPLES)
    above = betaincinv(positive + 1, cells - positive, tail) if positive < cells else np.ones(RESAMPLES)
    return 100 * np.where(tail < 0.5, below, above)
