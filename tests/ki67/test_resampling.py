"""Intervals from resampled blocks."""

from __future__ import annotations

import numpy as np
import pytest

from wsi_edt.ki67.resampling import LEAST_BLOCKS, blocks_of, estimate


def share(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 0] / sums[..., 1])


def test_blocks_are_squares_from_the_origin() -> None:
    """Two cells of one block, one to the left of the origin, one far below: three blocks, numbered along rows."""
    number, blocks = blocks_of(np.array([0.1, 0.9, -0.1, 0.5]), np.array([0.2, 0.8, 0.5, 7.0]), side=1.0)
    assert blocks == 3
    assert number.tolist() == [1, 1, 0, 2]


def test_few_blocks_have_no_interval() -> None:
    found = estimate(np.full((LEAST_BLOCKS - 1, 2), 3.0), share)
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert estimate(np.full((LEAST_BLOCKS, 2), 3.0), share).low == 1.0
    assert estimate(np.full((LEAST_BLOCKS, 2), 3.0), share, enough=False).low is None


@pytest.mark.parametrize("blocks", [20, 60])
def test_the_interval_holds_the_truth_as_often_as_it_says(blocks: int) -> None:
    """Blocks of shares of their own around 0.2: of 400 slides 95 %, give or take what 400 tell (three deviations)."""
    rng = np.random.default_rng(blocks)
    held = 0
    for _ in range(400):
        total = rng.integers(50, 500, blocks)
        sums = np.stack([rng.binomial(total, rng.beta(4, 16, blocks)), total], axis=1).astype(np.float64)
        found = estimate(sums, share, low=0, high=1)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.2 <= found.high
    assert 0.917 <= held / 400 <= 0.983


def test_the_same_sums_give_the_same_interval_within_its_limits() -> None:
    sums = np.stack([np.r_[np.zeros(25), 1.0], np.full(26, 100.0)], axis=1)
    first, second = (estimate(sums, share, low=0) for _ in range(2))
    assert first == second
    assert first.low == 0
