"""Spread, entropy and bimodality of hexagons' indices, against other ways to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import scipy.stats

from wsi_edt.ki67.unevenness import (
    BIMODALITY_ABOVE,
    bimodality,
    differ,
    entropy,
    entropy_if_even,
    features,
    spread,
)


def sums_of(positive: list[int] | np.ndarray, total: list[int] | np.ndarray) -> np.ndarray:
    return np.asarray(features(np.asarray(positive), np.asarray(total)).sum(axis=0))


def test_the_entropy_of_four_hexagons_by_hand() -> None:
    """Two at 5 to 10 %, one at 20 to 25 %, one at 100 %: 1.5 bits, and 2 / (2 × 4 × ln 2) for having seen but four."""
    assert float(entropy(sums_of([5, 9, 20, 100], [100] * 4))) == pytest.approx(1.5 + 2 / (8 * np.log(2)))


def test_the_entropy_of_equal_hexagons_is_none() -> None:
    assert float(entropy(sums_of([7] * 30, [100] * 30))) == 0


@pytest.mark.parametrize("total", [100, 137, 600])
@pytest.mark.parametrize("share", [0.004, 0.1, 0.2, 0.33])
def test_even_tissue_has_the_entropy_that_is_expected_of_it(share: float, total: int) -> None:
    """Against a simulation of forty thousand hexagons; the class of each is known from whole numbers."""
    rng = np.random.default_rng(total)
    positive = rng.binomial(total, share, 40_000)
    found = float(entropy(sums_of(positive, np.full(40_000, total))))
    assert found == pytest.approx(entropy_if_even(positive, np.full(40_000, total)), abs=0.02)


def test_few_cells_make_no_spread() -> None:
    rng = np.random.default_rng(3)
    positive = rng.binomial(100, 0.2, 40_000)
    assert np.std(positive) == pytest.approx(4, abs=0.1), "what counting a hundred cells gives"
    sums = sums_of(positive, np.full(40_000, 100))
    assert float(spread(sums)) < 0.5
    assert not differ(sums)


def test_the_spread_is_that_of_the_shares_behind_the_counts() -> None:
    rng = np.random.default_rng(4)
    share = rng.uniform(0.1, 0.4, 4000)
    total = rng.integers(100, 700, 4000)
    sums = sums_of(rng.binomial(total, share), total)
    assert float(spread(sums)) == pytest.approx(30 / 12**0.5, abs=0.2)
    assert differ(sums)


@pytest.mark.parametrize(
    ("kind", "peaks"), [("small and skewed", False), ("two peaks", True), ("two small peaks", True)]
)
def test_bimodality_is_that_of_unbiased_moments_of_log_odds(kind: str, peaks: bool) -> None:
    """Log odds, as skewed shares near 0 would pass for two peaks."""
    rng = np.random.default_rng(5)
    share = {
        "small and skewed": scipy.special.expit(rng.normal(-3, 1.2, 60)),
        "two peaks": rng.choice([0.05, 0.6], 60),
        "two small peaks": rng.choice([0.02, 0.1], 60),
    }[kind]
    total = np.full(60, 10_000)
    positive = np.rint(share * total).astype(np.int64)
    odds = np.log((positive + 0.5) / (total - positive + 0.5))
    g, k = (float(of(odds, bias=False)) for of in (scipy.stats.skew, scipy.stats.kurtosis))
    expected = (g**2 + 1) / (k + 3 * 59**2 / (58 * 57))
    assert float(bimodality(sums_of(positive, total))) == pytest.approx(expected)
    assert (expected > BIMODALITY_ABOVE) == peaks


def test_statistics_are_made_of_many_sums_at_once() -> None:
    rng = np.random.default_rng(6)
    sums = np.stack([sums_of(rng.binomial(300, rng.beta(2, 6, 40)), np.full(40, 300)) for _ in range(3)])
    for statistic in (spread, entropy, bimodality):
        np.testing.assert_allclose(statistic(sums), [float(statistic(row)) for row in sums])
