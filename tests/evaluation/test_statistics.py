"""Errors of counts and indices against hand-computed and numpy's values; intervals against resampling in a loop."""

import numpy as np
import pytest

from wsi_edt.evaluation.bootstrap import FEWEST_CASES, bootstrap
from wsi_edt.evaluation.statistics import ImageSums, image_indices, index_drift


def counts(*images: tuple[int, int, int, int]) -> np.ndarray:
    """(N, 3, 3) of (found positive, found negative, true positive, true negative), matched as far as can be."""
    rows = []
    for found_positive, found_negative, true_positive, true_negative in images:
        by_class = []
        for found, true in (
            (found_positive + found_negative, true_positive + true_negative),
            (found_positive, true_positive),
            (found_negative, true_negative),
        ):
            matched = min(found, true)
            by_class.append((matched, found - matched, true - matched))
        rows.append(by_class)
    return np.array(rows, np.int64).reshape(-1, 3, 3)


def test_index_errors_hand_computed() -> None:
    # Indices: 50 instead of 40, 10 instead of 30, nothing found (0) instead of 50; the last image has no cells.
    images = counts((5, 5, 4, 6), (1, 9, 3, 7), (0, 0, 1, 1), (3, 0, 0, 0))
    true, difference = image_indices(images)
    assert true[:3].tolist() == [40.0, 30.0, 50.0]
    assert np.isnan(true[3])
    assert difference[:3].tolist() == pytest.approx([10.0, -20.0, -50.0])
    found = ImageSums.of(images).statistics()
    assert float(found.index_mae) == pytest.approx(80 / 3)
    assert float(found.index_bias) == pytest.approx(-20.0)
    spread = np.std([10.0, -20.0, -50.0], ddof=1)
    assert float(found.index_sd) == pytest.approx(spread)
    assert float(found.index_lower) == pytest.approx(-20 - 1.96 * spread)
    assert float(found.index_upper) == pytest.approx(-20 + 1.96 * spread)
    # All cells together: 9 of 23, and 8 of 22.
    assert float(found.index_found) == pytest.approx(100 * 9 / 23)
    assert float(found.index_true) == pytest.approx(100 * 8 / 22)
    assert float(found.index_pooled_bias) == pytest.approx(100 * (9 / 23 - 8 / 22))


def test_count_errors_by_class_hand_computed() -> None:
    found = ImageSums.of(counts((5, 5, 4, 6), (1, 9, 3, 7))).statistics()
    assert found.count_mae.tolist() == pytest.approx([0.0, 1.5, 1.5])
    assert found.count_rmse.tolist() == pytest.approx([0.0, np.sqrt(2.5), np.sqrt(2.5)])


def test_ratios_come_from_sums() -> None:
    found = ImageSums.of(counts((2, 0, 4, 0), (6, 0, 2, 0))).statistics()
    # 4 matched of 8 found and 6 true; the mean of the images' ratios would be others.
    assert (found.precision[1], found.recall[1], found.f1[1]) == pytest.approx((4 / 8, 4 / 6, 8 / 14))
    assert (found.precision[2], found.recall[2], found.f1[2]) == (0.0, 0.0, 0.0)


def test_what_there_is_none_of() -> None:
    nothing = ImageSums.of(counts()).statistics()
    assert nothing.f1.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(nothing.count_mae).all() and np.isnan(nothing.index_mae)
    one = ImageSums.of(counts((1, 1, 1, 1))).statistics()
    assert float(one.index_bias) == 0.0
    assert np.isnan(one.index_sd)  # one image has no spread


def test_index_drifts_over_thresholds_that_find_cells_about_equally_well() -> None:
    # Of 40 positive and 60 negative cells; F1 of all cells and index by hand:
    thresholds = [
        counts((40, 60, 40, 60)),  # 1, 40 %
        counts((40, 58, 40, 60)),  # 2 · 98 / 198 = 0.990, 40 / 98 = 40.8 %
        counts((40, 55, 40, 60)),  # 2 · 95 / 195 = 0.974, 40 / 95 = 42.1 %
        counts((40, 50, 40, 60)),  # 2 · 90 / 190 = 0.947, 44.4 %: too far below
    ]
    found = ImageSums.of(np.stack(thresholds)).statistics()
    assert index_drift(found) == pytest.approx(100 * 40 / 95 - 40)
    assert index_drift(found, f1_within=0.015) == pytest.approx(100 * 40 / 98 - 40)
    assert index_drift(found, f1_within=0.06) == pytest.approx(100 * 40 / 90 - 40)


def test_weights_are_repetitions() -> None:
    images = counts((5, 5, 4, 6), (1, 9, 3, 7), (2, 2, 3, 1))
    weighted = ImageSums.of(images).statistics(np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))
    for row, chosen in enumerate(([0, 0, 2], [0, 1, 2])):
        single = ImageSums.of(images[chosen]).statistics()
        for name in ("f1", "count_rmse", "index_mae", "index_sd", "index_found"):
            np.testing.assert_allclose(getattr(weighted, name)[row], getattr(single, name))


def random_images(number: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    true = rng.integers(10, 60, (number, 2))
    return counts(*np.concatenate([true + rng.integers(-8, 9, (number, 2)), true], axis=1).tolist())


def test_intervals_are_percentiles_over_resamples() -> None:
    images = random_images(12, 0)
    cases = [str(number) for number in range(12)]
    found = bootstrap(ImageSums.of(images), cases, resamples=4000)
    assert found is not None
    assert (found.cases, found.resamples) == (12, 4000)
    rng = np.random.default_rng(99)  # other draws than the function's
    resampled = [ImageSums.of(images[rng.integers(0, 12, 12)]).statistics() for _ in range(4000)]
    for name in ("f1", "count_mae", "index_bias"):
        values = np.array([getattr(one, name) for one in resampled])
        width = np.ptp(np.percentile(values, [2.5, 97.5], axis=0), axis=0)
        for end, percent in ((found.low, 2.5), (found.high, 97.5)):
            expected = np.percentile(values, percent, axis=0)
            assert (np.abs(getattr(end, name) - expected) <= 0.06 * width + 1e-12).all()


def test_cases_are_drawn_whole() -> None:
    # Six cases of three equal images say as much as six images: resampling 18 images would give narrower intervals.
    images = random_images(6, 3)
    cases = [str(number) for number in range(6)]
    single = bootstrap(ImageSums.of(images), cases, resamples=500)
    triple = bootstrap(
        ImageSums.of(np.repeat(images, 3, axis=0)), np.repeat(cases, 3).tolist(), resamples=500
    )
    assert single is not None and triple is not None
    np.testing.assert_allclose(triple.low.f1, single.low.f1)
    np.testing.assert_allclose(triple.high.index_mae, single.high.index_mae)
    assert triple.cases == 6


def test_intervals_are_the_same_again() -> None:
    sums, cases = ImageSums.of(random_images(8, 1)), list("abcdefgh")
    first, second = bootstrap(sums, cases, resamples=200), bootstrap(sums, cases, resamples=200)
    assert first is not None and second is not None
    np.testing.assert_array_equal(first.low.f1, second.low.f1)


def test_no_intervals_of_few_cases_or_without_resamples() -> None:
    images = random_images(8, 1)
    few = ["a"] * 4 + list("bcd")[: FEWEST_CASES - 2] + ["b"]
    assert len(set(few)) == FEWEST_CASES - 1
    assert bootstrap(ImageSums.of(images), few) is None
    assert bootstrap(ImageSums.of(images), list("abcdefgh"), resamples=0) is None
    assert bootstrap(ImageSums.of(images[:0]), []) is None
