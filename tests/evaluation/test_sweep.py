"""Thresholds that span the scores, metrics at each of them, and bins of the score."""

import csv
import io

import numpy as np
import pytest

from wsi_edt.cells import CellClass, Cells
from wsi_edt.evaluation import ImagePair, Outcomes, assess, image_metrics
from wsi_edt.evaluation.sweep import Sweep, calibration, sweep, sweep_csv, sweep_thresholds

POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def scored(*rows: tuple[float, float, CellClass, float]) -> Cells:
    table = np.array(rows, np.float64).reshape(-1, 4)
    x, y = table[:, 0].copy(), table[:, 1].copy()
    return Cells(x, y, table[:, 3].astype(np.float32), table[:, 2].astype(np.uint8))


# Two positive and two negative cells. Found: both positive ones, one negative one, and two that are none.
TRUTH = scored((10, 10, POSITIVE, 1), (30, 10, POSITIVE, 1), (50, 10, NEGATIVE, 1), (70, 10, NEGATIVE, 1))
FOUND = scored(
    (10, 10, POSITIVE, 0.9),
    (30, 10, POSITIVE, 0.5),
    (50, 10, NEGATIVE, 0.3),
    (90, 90, NEGATIVE, 0.2),
    (90, 50, POSITIVE, 0.1),
)


def outcomes_of(found: Cells = FOUND, truth: Cells = TRUTH) -> Outcomes:
    return Outcomes.of([ImagePair("a", "a", found, truth)], radius_px=5.0)


def test_thresholds_are_round_and_span_the_scores() -> None:
    thresholds = sweep_thresholds(outcomes_of())
    assert thresholds is not None
    steps = np.diff(thresholds)
    assert np.allclose(steps, 0.01)
    assert np.allclose(thresholds, np.round(thresholds, 2))
    assert len(thresholds) <= 100
    # All predictions lie above the first one, none above the last.
    assert outcomes_of().counts([thresholds[0]])[0, 0, 0, :2].sum() == len(FOUND)
    assert outcomes_of().counts([thresholds[-1]])[0, 0, 0, :2].sum() == 0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 7.0, 255.0])
def test_thresholds_suit_any_scale_of_scores(scale: float) -> None:
    found = Cells(FOUND.x, FOUND.y, (FOUND.score * scale).astype(np.float32), FOUND.class_id)
    thresholds = sweep_thresholds(outcomes_of(found))
    assert thresholds is not None
    assert 30 <= len(thresholds) <= 100
    assert outcomes_of(found).counts([float(thresholds[0])])[0, 0, 0, :2].sum() == len(FOUND)


def test_nothing_to_sweep_where_scores_are_equal() -> None:
    for found in (TRUTH, scored()):
        assert sweep_thresholds(outcomes_of(found)) is None
        assert calibration(outcomes_of(found)) is None
        assert assess([ImagePair("a", "a", found, TRUTH)], radii_px=(5.0,)).sweeps == ()


def test_each_threshold_has_the_metrics_of_what_is_above_it() -> None:
    thresholds = np.array([0.05, 0.25, 0.4, 0.95])
    found = sweep(outcomes_of(), thresholds)
    precision = {"all": [3 / 5, 1, 1, 0], "positive": [2 / 3, 1, 1, 0], "negative": [1 / 2, 1, 0, 0]}
    recall = {"all": [3 / 4, 3 / 4, 1 / 2, 0], "positive": [1, 1, 1, 0], "negative": [1 / 2, 1 / 2, 0, 0]}
    for place, name in enumerate(found.classes):
        assert found.statistics.precision[:, place].tolist() == pytest.approx(precision[name])
        assert found.statistics.recall[:, place].tolist() == pytest.approx(recall[name])
    # Ki-67: 3 of 5, 2 of 3, 2 of 2, and nothing found, which counts as 0 % of the image and is none of all.
    assert found.statistics.index_found[:3].tolist() == pytest.approx([60, 200 / 3, 100])
    assert np.isnan(found.statistics.index_found[3])
    assert found.statistics.index_mae.tolist() == pytest.approx([10, 50 / 3, 50, 50])
    for number, threshold in enumerate(thresholds.tolist()):
        at_threshold = image_metrics(outcomes_of(), threshold=threshold)
        assert at_threshold.all.f1 == pytest.approx(found.statistics.f1[number, 0])


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_csv_has_a_row_per_radius_and_threshold() -> None:
    sweeps: list[Sweep] = [sweep(outcomes_of(), np.array([0.25, 0.95]))] * 2
    rows = rows_of(sweep_csv(sweeps))
    assert [row["threshold"] for row in rows] == ["0.25", "0.95"] * 2
    first, last = rows[0], rows[1]
    assert (first["radius_px"], first["all_matched"], first["all_false"], first["all_missed"]) == (
        "5",
        "3",
        "0",
        "1",
    )
    assert float(first["negative_f1"]) == pytest.approx(2 / 3, abs=1e-4)
    assert float(first["index_found_percent"]) == pytest.approx(200 / 3, abs=1e-2)
    assert last["index_found_percent"] == ""


def test_csv_without_classes_leaves_them_empty() -> None:
    plain = Cells(FOUND.x, FOUND.y, FOUND.score, np.full(5, NUCLEUS, np.uint8))
    (row,) = rows_of(sweep_csv([sweep(outcomes_of(plain), np.array([0.25]))]))
    assert row["all_matched"] == "3"
    assert row["positive_f1"] == row["index_bias_points"] == ""


def test_calibration_counts_predictions_and_matches_in_bins() -> None:
    found = calibration(outcomes_of())
    assert found is not None
    assert found.edges[0] < 0.1 < 0.9 <= found.edges[-1]
    assert np.allclose(np.diff(found.edges), 0.1)
    assert found.predicted.sum(axis=1).tolist() == [5, 3, 2]
    by_bin = {
        round(float(edge), 1): (int(n), int(m))
        for edge, n, m in zip(found.edges[:-1], found.predicted[0], found.matched[0], strict=True)
        if n
    }
    # A bin holds its upper edge: 0.9 is in (0.8, 0.9].
    assert by_bin == {0.0: (1, 0), 0.1: (1, 0), 0.2: (1, 1), 0.4: (1, 1), 0.8: (1, 1)}


def test_calibration_leaves_excused_predictions_out() -> None:
    truth = scored((10, 10, POSITIVE, 1), (90, 90, NUCLEUS, 1))
    found = calibration(outcomes_of(FOUND, truth))
    assert found is not None
    assert found.predicted[0].sum() == 4
    assert found.matched[0].sum() == 1


def test_wilson_interval_is_the_published_one() -> None:
    # 8 of 10: 0.490 to 0.943 (Newcombe 1998's method 3, computed by hand); nothing is anything.
    score = 0.5 + 0.01 * np.arange(10)
    rows = [(20.0 * n, 10, NUCLEUS, float(s)) for n, s in enumerate(score)]
    found = calibration(outcomes_of(scored(*rows), scored(*rows[:8])))
    assert found is not None
    merged = type(found)(
        np.array([0.4, 0.6, 0.8]), np.array([[10, 0]] * 3, np.int64), np.array([[8, 0]] * 3, np.int64)
    )
    low, high = merged.interval()
    assert (low[0, 0], high[0, 0]) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert (low[0, 1], high[0, 1]) == pytest.approx((0, 1), abs=1e-3)
