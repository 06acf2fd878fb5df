"""Outcomes at any threshold against matching what lies above it; which cells count in a set, and which are ignored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.test_metrics import cells
from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.evaluation import DetectionMetrics, ImagePair, Outcomes, image_metrics, match_points
from wsi_edt.evaluation.outcomes import ClassOutcomes, points_of

POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def scored(points: list[tuple[int, int]], scores: list[float]) -> Cells:
    count = min(len(points), len(scores))
    table = np.array(points[:count], np.float64).reshape(-1, 2)
    return Cells(
        table[:, 0].copy(),
        table[:, 1].copy(),
        np.array(scores[:count], np.float32),
        np.zeros(count, np.uint8),
    )


places = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=8)
score_lists = st.lists(st.sampled_from([0.1, 0.18, 0.25, 0.3, 0.7]), min_size=8, max_size=8)


@given(found=places, scores=score_lists, truth=places, ignored=places, radius_px=st.sampled_from([1.0, 4.0]))
def test_a_threshold_counts_what_a_matching_above_it_counts(
    found: list[tuple[int, int]],
    scores: list[float],
    truth: list[tuple[int, int]],
    ignored: list[tuple[int, int]],
    radius_px: float,
) -> None:
    predicted = scored(found, scores)
    true_points, spots = (np.array(part, np.float64).reshape(-1, 2) for part in (truth, ignored))
    outcomes = ClassOutcomes.of(predicted, true_points, ignored=spots, radius_px=radius_px)
    thresholds = [-np.inf, 0.0, 0.1, 0.18, 0.2, 0.3, 0.7, 1.0]
    for threshold, counts in zip(thresholds, outcomes.counts(thresholds).tolist(), strict=True):
        # As decode has it: float32 against a Python float, and strictly above.
        above = points_of(predicted.select(predicted.score > threshold))
        matched = len(match_points(above, true_points, radius_px=radius_px))
        excused = len(match_points(above, np.concatenate([true_points, spots]), radius_px=radius_px))
        assert counts == [matched, len(above) - excused, len(true_points) - matched]


def test_a_score_equal_to_the_threshold_does_not_count() -> None:
    # 0.18 as float32 is more than 0.18, and yet it is that threshold.
    outcomes = ClassOutcomes.of(
        scored([(5, 5)], [0.18]), np.array([[5.0, 5.0]]), ignored=np.zeros((0, 2)), radius_px=1
    )
    assert outcomes.counts([0.17, 0.18, 0.19]).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_predictions_are_cells_or_excused_or_neither() -> None:
    # Two near one cell: the surer one is it. Two near one ignored point: the surer one is excused.
    predicted = scored([(10, 10), (11, 10), (50, 50), (51, 50)], [0.3, 0.7, 0.7, 0.3])
    outcomes = ClassOutcomes.of(
        predicted, np.array([[10.0, 10.0]]), ignored=np.array([[50.0, 50.0]]), radius_px=5.0
    )
    assert outcomes.score.tolist() == pytest.approx([0.7, 0.7, 0.3, 0.3])
    assert outcomes.matched.tolist() == [True, False, False, False]
    assert outcomes.excused.tolist() == [False, True, False, False]


def pair(predicted: Cells, truth: Cells) -> ImagePair:
    return ImagePair("image", "case", predicted, truth)


def test_cells_of_neither_class_are_ignored_beside_classes() -> None:
    # shidc: a lymphocyte found as negative is no error, and nobody has to find the other.
    truth = cells((10, 10, POSITIVE), (50, 50, NUCLEUS), (90, 90, NUCLEUS))
    found = cells((10, 10, POSITIVE), (50, 50, NEGATIVE), (70, 70, NEGATIVE))
    metrics = image_metrics(Outcomes.of([pair(found, truth)], radius_px=5.0))
    assert metrics.all == DetectionMetrics(1, 1, 0)
    assert metrics.negative == DetectionMetrics(0, 1, 0)
    # An image of lymphocytes alone follows its set.
    others = cells((20, 20, NUCLEUS))
    both = image_metrics(Outcomes.of([pair(found, truth), pair(others, others)], radius_px=5.0))
    assert both.all == DetectionMetrics(1, 1, 0)


def test_cells_of_no_class_count_where_either_side_has_no_classes() -> None:
    nuclei = cells((10, 10, NUCLEUS), (50, 50, NUCLEUS))
    classed = cells((10, 10, POSITIVE), (50, 50, NEGATIVE))
    mixed = cells((10, 10, POSITIVE), (50, 50, NUCLEUS))
    for found, truth in ((classed, nuclei), (nuclei, classed), (nuclei, mixed), (nuclei, nuclei)):
        metrics = image_metrics(Outcomes.of([pair(found, truth)], radius_px=5.0))
        assert metrics.all == DetectionMetrics(2, 0, 0)
        assert metrics.positive is None


def test_classes_can_be_disregarded() -> None:
    # gepnet: every point is to be found, although the model has classes.
    found, truth = cells((10, 10, POSITIVE), (50, 50, NEGATIVE)), cells((10, 10, POSITIVE), (50, 50, NUCLEUS))
    by_class = image_metrics(Outcomes.of([pair(found, truth)], radius_px=5.0))
    assert by_class.all == DetectionMetrics(1, 0, 0)
    metrics = image_metrics(Outcomes.of([pair(found, truth)], radius_px=5.0, has_classes=False))
    assert metrics.all == DetectionMetrics(2, 0, 0)
    assert metrics.positive is None
    # And insisted on: nothing but lymphocytes is nothing to find.
    none = image_metrics(
        Outcomes.of([pair(found, cells((50, 50, NUCLEUS)))], radius_px=5.0, has_classes=True)
    )
    assert none.all == DetectionMetrics(0, 1, 0)


def test_counts_have_images_and_classes_in_order() -> None:
    found, truth = (
        cells((10, 10, POSITIVE), (50, 50, POSITIVE)),
        cells((10, 10, POSITIVE), (50, 50, NEGATIVE)),
    )
    outcomes = Outcomes.of([pair(cells(), truth), pair(found, truth)], radius_px=5.0)
    counts = outcomes.counts()
    assert counts.shape == (1, 2, 3, 3)
    assert counts[0, 0].tolist() == [[0, 0, 2], [0, 0, 1], [0, 0, 1]]
    assert counts[0, 1].tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 1]]


@pytest.mark.slide
def test_lymphocytes_of_real_shidc_are_ignored(data_dir: Path) -> None:
    images = read_set(SetSpec(name="shidc", folder=data_dir / "shidc", split="validation"), Path())
    pairs = []
    for image in images:
        x, y = image.points.T.copy()
        truth = Cells(x, y, np.ones(len(x), np.float32), image.class_id)
        called = np.where(image.class_id == NUCLEUS, NEGATIVE, image.class_id).astype(np.uint8)
        pairs.append(ImagePair(image.path.name, image.case, replace(truth, class_id=called), truth))
    metrics = image_metrics(Outcomes.of(pairs, radius_px=10.0))
    # The set's description: 61 positive, 278 negative, 14 lymphocytes.
    assert metrics.all == DetectionMetrics(339, 0, 0)
    assert metrics.positive == DetectionMetrics(61, 0, 0)
    assert metrics.negative == DetectionMetrics(278, 0, 0)
