"""Intervals from resampled blocks."""

from __future__ import annotations

import numpy as np
import pytest

from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.resampling import LEAST_BLOCKS, Blocks, estimate


def share(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 0] / sums[..., 1])


def grid(rows: int, columns: int) -> Blocks:
    """A full grid of blocks, one point each."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return Blocks.of(column + 0.5, row + 0.5, side=1.0)


def held(found: Estimate, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def test_blocks_are_squares_from_the_origin() -> None:
    """Two cells of one block, one to the left of the origin, one far below: three blocks, numbered along rows."""
    blocks = Blocks.of(np.array([0.1, 0.9, -0.1, 0.5]), np.array([0.2, 0.8, 0.5, 7.0]), side=1.0)
    assert len(blocks) == 3
    assert blocks.of_point.tolist() == [1, 1, 0, 2]
    assert (blocks.row.tolist(), blocks.column.tolist()) == ([0, 0, 7], [0, 1, 1])
    assert blocks.sums(np.array([[1.0, 2], [10, 20], [100, 200], [1000, 2000]])).tolist() == [
        [100, 200],
        [11, 22],
        [1000, 2000],
    ]
    assert blocks.counts(np.array([1, 1, 0, 2]), 3).tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 1]]
    assert blocks.with_neighbours(np.array([1.0, 10, 100])).tolist() == [11, 11, 100]


def test_few_blocks_have_no_interval() -> None:
    few = LEAST_BLOCKS - 1
    found = estimate(grid(1, few), np.full((few, 2), 3.0), share)
    assert (found.value, found.low, found.high) == (1.0, None, None)
    blocks, sums = grid(1, LEAST_BLOCKS), np.full((LEAST_BLOCKS, 2), 3.0)
    assert estimate(blocks, sums, share).low == 1.0
    assert estimate(blocks, sums, share, enough=False).low is None


@pytest.mark.parametrize("rows", [4, 12])
def test_the_interval_holds_the_truth_as_often_as_it_says(rows: int) -> None:
    """Blocks of shares of their own around 0.2: of 400 slides 95 %, give or take what 400 tell (three deviations)."""
    rng = np.random.default_rng(rows)
    blocks, count = grid(rows, 5), 5 * rows
    times = 0
    for _ in range(400):
        total = rng.integers(50, 500, count)
        sums = np.stack([rng.binomial(total, rng.beta(4, 16, count)), total], axis=1).astype(np.float64)
        times += held(estimate(blocks, sums, share, low=0, high=1), 0.2)
    assert 0.917 <= times / 400 <= 0.99


def test_patches_that_reach_across_blocks_widen_it() -> None:
    """Shares of 2 × 2 blocks each: an interval from blocks that were independent held the truth in 78 % of slides."""
    rng = np.random.default_rng(7)
    rows = columns = 12
    blocks, total = grid(rows, columns), np.full(rows * columns, 300)
    times = 0
    for _ in range(200):
        shares = np.kron(rng.beta(4, 16, (7, 7)), np.ones((2, 2)))[1 : rows + 1, 1 : columns + 1].reshape(-1)
        sums = np.stack([rng.binomial(total, shares), total], axis=1).astype(np.float64)
        times += held(estimate(blocks, sums, share, low=0, high=1), 0.2)
    assert times / 200 >= 0.88


def test_the_same_sums_give_the_same_interval_within_its_limits() -> None:
    sums = np.stack([np.r_[np.zeros(29), 1.0], np.full(30, 100.0)], axis=1)
    first, second = (estimate(grid(6, 5), sums, share, low=0) for _ in range(2))
    assert first == second
    assert first.low == 0
