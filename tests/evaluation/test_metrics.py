"""Metrics against hand-counted cases and against all assignments."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.cells import CellClass, Cells
from wsi_edt.evaluation import DetectionMetrics, ImageMetrics, ImagePair, Outcomes, image_metrics
from wsi_edt.evaluation.outcomes import ClassOutcomes
from wsi_edt.geometry import FloatArray

POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def cells(*rows: tuple[float, float, CellClass]) -> Cells:
    table = np.array(rows, np.float64).reshape(-1, 3)
    return Cells(
        table[:, 0].copy(), table[:, 1].copy(), np.ones(len(table), np.float32), table[:, 2].astype(np.uint8)
    )


def metrics_of(images: list[tuple[Cells, Cells]], *, radius_px: float) -> ImageMetrics:
    """Of (predicted, true) cells."""
    pairs = [ImagePair(str(number), str(number), *pair) for number, pair in enumerate(images)]
    return image_metrics(Outcomes.of(pairs, radius_px=radius_px))


def test_ratios_hand_computed() -> None:
    metrics = DetectionMetrics(6, 2, 4)
    assert (metrics.predicted, metrics.truth) == (8, 10)
    assert metrics.precision == 0.75
    assert metrics.recall == 0.6
    assert metrics.f1 == pytest.approx(2 * 0.75 * 0.6 / 1.35)
    assert metrics + DetectionMetrics(1, 2, 3) == DetectionMetrics(7, 4, 7)


def test_ratios_of_nothing() -> None:
    for metrics in (DetectionMetrics(), DetectionMetrics(0, 3, 0), DetectionMetrics(0, 0, 3)):
        assert (metrics.precision, metrics.recall, metrics.f1) == (0.0, 0.0, 0.0)


def test_two_images_hand_counted() -> None:
    # Image 1: one positive found as positive, one negative found as positive, one negative missed.
    # Image 2: a positive found, a negative found 6 px off, a positive made up.
    first = (
        cells((10, 10, POSITIVE), (51, 50, POSITIVE)),
        cells((10, 12, POSITIVE), (50, 50, NEGATIVE), (90, 90, NEGATIVE)),
    )
    second = (
        cells((20, 20, POSITIVE), (40, 46, NEGATIVE), (80, 20, POSITIVE)),
        cells((20, 20, POSITIVE), (40, 40, NEGATIVE)),
    )
    at_10, at_5 = (metrics_of([first, second], radius_px=radius_px) for radius_px in (10.0, 5.0))
    assert at_10.images == 2
    assert at_10.all == DetectionMetrics(4, 1, 1)
    assert at_10.positive == DetectionMetrics(2, 2, 0)
    assert at_10.negative == DetectionMetrics(1, 0, 2)
    assert at_5.all == DetectionMetrics(3, 2, 2)
    assert at_5.negative == DetectionMetrics(0, 1, 3)
    # Counts: 2 of 3 and 3 of 2. Ki-67: 100 % instead of 1/3, and 2/3 instead of 1/2.
    assert at_10.statistics.count_mae[0] == 1.0
    assert at_10.statistics.count_rmse[0] == 1.0
    assert at_10.index_error == pytest.approx((200 / 3 + 50 / 3) / 2)


def test_counting_errors_hand_computed() -> None:
    none = cells()
    many = cells(*((float(x), 0.0, NEGATIVE) for x in range(7)))
    metrics = metrics_of([(many, none), (none, cells((1, 1, POSITIVE))), (none, none)], radius_px=5.0)
    assert metrics.statistics.count_mae[0] == pytest.approx(8 / 3)
    assert metrics.statistics.count_rmse[0] == pytest.approx(np.sqrt(50 / 3))
    # Only the second image has cells: 0 % (nothing found) instead of 100 %.
    assert metrics.index_error == 100.0


def test_images_are_matched_apart() -> None:
    here, there = cells((5, 5, POSITIVE)), cells((5, 5, POSITIVE))
    metrics = metrics_of([(here, cells()), (cells(), there)], radius_px=10.0)
    assert metrics.all == DetectionMetrics(0, 1, 1)


@pytest.mark.parametrize("unclassed_side", ["predicted", "truth"])
def test_no_metrics_by_class_where_there_are_no_classes(unclassed_side: str) -> None:
    classed, plain = cells((5, 5, POSITIVE), (30, 5, NEGATIVE)), cells((5, 6, NUCLEUS), (30, 6, NUCLEUS))
    pair = (plain, classed) if unclassed_side == "predicted" else (classed, plain)
    metrics = metrics_of([pair], radius_px=5.0)
    assert metrics.all == DetectionMetrics(2, 0, 0)
    assert metrics.positive is None
    assert metrics.negative is None
    assert metrics.index_error is None
    assert list(metrics.by_class) == ["all"]
    facts = json.loads(json.dumps(metrics.to_json()))
    assert list(facts["scores"]) == ["all"]
    assert facts["index"] is None


def test_nothing_found_still_has_metrics_by_class() -> None:
    metrics = metrics_of([(cells(), cells((5, 5, POSITIVE)))], radius_px=5.0)
    assert metrics.positive == DetectionMetrics(0, 0, 1)
    assert metrics.negative == DetectionMetrics(0, 0, 0)


def test_no_images() -> None:
    metrics = metrics_of([], radius_px=5.0)
    assert metrics.all == DetectionMetrics()
    assert metrics.index_error is None


def test_a_prediction_on_an_ignored_point_is_no_error() -> None:
    found = cells((10, 10, POSITIVE), (50, 50, NEGATIVE), (51, 50, NEGATIVE), (90, 90, NEGATIVE))
    truth = cells((10, 11, POSITIVE), (50, 51, NUCLEUS), (150, 150, NUCLEUS))  # and two lymphocytes
    # One of the two at (50, 50) is excused, the other and the one at (90, 90) are not; nobody has to find it.
    metrics = metrics_of([(found, truth)], radius_px=5.0)
    assert metrics.all == DetectionMetrics(1, 2, 0)
    assert metrics.negative == DetectionMetrics(0, 2, 0)
    assert metrics.statistics.count_mae[0] == 2.0


def of_points(
    found: FloatArray, truth: FloatArray, ignored: FloatArray, *, radius_px: float
) -> DetectionMetrics:
    predicted = cells(*((x, y, NUCLEUS) for x, y in found.tolist()))
    outcomes = ClassOutcomes.of(predicted, truth, ignored=ignored, radius_px=radius_px)
    return DetectionMetrics(*outcomes.counts((-np.inf,))[0].tolist())


def test_a_cell_comes_before_an_ignored_point() -> None:
    # The prediction in the middle could excuse itself, but a cell wants it.
    found, truth, ignored = np.array([[10.0, 10.0]]), np.array([[13.0, 10.0]]), np.array([[10.0, 10.0]])
    assert of_points(found, truth, ignored, radius_px=5.0) == DetectionMetrics(1, 0, 0)


def best_of_all(
    found: FloatArray, truth: FloatArray, ignored: FloatArray, radius_px: float
) -> DetectionMetrics:
    """Over all ways to give each prediction a cell, an ignored point or nothing: most cells, then most excused."""
    spots = np.concatenate([truth, ignored])
    best = (0, 0)
    for choice in product(range(-1, len(spots)), repeat=len(found)):
        used = [spot for spot in choice if spot >= 0]
        near = all(np.hypot(*(found[i] - spots[s])) <= radius_px for i, s in enumerate(choice) if s >= 0)
        if near and len(set(used)) == len(used):
            matched = sum(spot < len(truth) for spot in used)
            best = max(best, (matched, len(used) - matched))
    return DetectionMetrics(best[0], len(found) - sum(best), len(truth) - best[0])


coordinates = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=3)


@given(found=coordinates, truth=coordinates, ignored=coordinates, radius_px=st.sampled_from([1.0, 3.0, 5.0]))
def test_metrics_with_ignored_points_equal_the_best_of_all_assignments(
    found: list[tuple[int, int]],
    truth: list[tuple[int, int]],
    ignored: list[tuple[int, int]],
    radius_px: float,
) -> None:
    points, cells_at, spots = (np.array(part, np.float64).reshape(-1, 2) for part in (found, truth, ignored))
    expected = best_of_all(points, cells_at, spots, radius_px)
    assert of_points(points, cells_at, spots, radius_px=radius_px) == expected


def test_json_has_the_numbers() -> None:
    found = cells((5, 5, POSITIVE), (30, 5, NEGATIVE), (60, 5, NEGATIVE))
    truth = cells((5, 5, POSITIVE), (30, 5, NEGATIVE))
    facts = json.loads(json.dumps(metrics_of([(found, truth)], radius_px=5.0).to_json()))
    assert facts["radius_px"] == 5.0
    assert facts["scores"]["all"] == {
        "true_positives": 2,
        "false_positives": 1,
        "false_negatives": 0,
        "precision": pytest.approx(2 / 3),
        "recall": 1.0,
        "f1": pytest.approx(0.8),
        "count_mae": 1.0,
        "count_rmse": 1.0,
    }
    assert facts["scores"]["positive"]["count_mae"] == 0.0
    assert facts["scores"]["negative"]["f1"] == pytest.approx(2 / 3)
    # 1 of 3 instead of 1 of 2; one image has no spread.
    assert facts["index"] == {
        "mean_absolute_error_points": pytest.approx(50 / 3),
        "bias_points": pytest.approx(-50 / 3),
        "lower_limit_of_agreement_points": None,
        "upper_limit_of_agreement_points": None,
        "pooled_found_percent": pytest.approx(100 / 3),
        "pooled_true_percent": 50.0,
    }
    assert facts["intervals"] is None
