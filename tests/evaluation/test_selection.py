"""Settings are chosen on validation images: cells are found, the index is unbiased, and what is left of it elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.cells import CellClass, Cells
from wsi_edt.errors import UsageError
from wsi_edt.evaluation.predictions import PredictedImage, prediction_metrics
from wsi_edt.evaluation.selection import (
    THRESHOLDS,
    WINDOWS_PX,
    ThresholdCounts,
    best_place,
    select,
    steadiest_gain,
    threshold_counts,
)
from wsi_edt.evaluation.statistics import index_drift
from wsi_edt.maps import METHODS, DecodeSettings, Evidence, decode, edt_map

MAPS = ("positive", "negative", "nucleus")
POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def image(name: str, seed: int, false_peak: float, case: str = "") -> PredictedImage:
    """Ideal maps of 20 positive and 20 negative cells 14 px apart or more, and as many false peaks of that height."""
    places = np.random.default_rng(seed).permutation(100)[:60]
    x, y = (np.asarray(place * 20.0 + 10.5, np.float64) for place in (places % 10, places // 10))
    maps = np.zeros((3, 200, 200), np.float32)
    for number, which in enumerate((slice(0, 20), slice(20, 40))):
        maps[number] = edt_map(np.column_stack([x[which], y[which]]), (200, 200), max_distance_px=60)
    false = edt_map(np.column_stack([x[40:], y[40:]]), (200, 200), max_distance_px=60)
    maps[1] = np.maximum(maps[1], false_peak * false)
    class_id = np.repeat([POSITIVE, NEGATIVE], 20).astype(np.uint8)
    truth = Cells(x[:40].copy(), y[:40].copy(), np.ones(40, np.float32), class_id)
    return PredictedImage(name, case or name, maps, MAPS, truth)


def test_the_median_score_is_of_the_cells_that_are_found() -> None:
    # 40 cells of an ideal map have 1, false peaks of 0.35 stay below the threshold.
    assert select([image("a", 0, 0.35), image("b", 1, 0.35)]).metrics["median_score"] == 1
    empty = PredictedImage("c", "c", np.zeros((3, 200, 200), np.float32), MAPS, image("c", 0, 0.1).truth)
    assert "median_score" not in select([empty]).metrics


def test_threshold_lies_above_the_false_peaks() -> None:
    chosen = select([image("a", 0, 0.25), image("b", 1, 0.35), image("c", 2, 0.3)])
    assert 0.35 <= chosen.settings.threshold < 1
    assert chosen.settings.evidence in ("max", "sum")  # the nucleus map is empty
    assert chosen.metrics["f1_10px"] == chosen.metrics["f1_5px_positive"] == 1
    assert chosen.metrics["index_error_points"] == chosen.metrics["index_bias_points"] == 0


def test_left_out_metrics_are_not_the_chosen_ones() -> None:
    # Each image alone would let the others' settings find its false peaks: b's are higher than any other's.
    chosen = select([image("a", 0, 0.15), image("b", 1, 0.5), image("c", 2, 0.15)])
    assert chosen.metrics["f1_10px"] == 1
    # b, scored at a threshold of at least 0.15 chosen without it: 40 cells, 20 false ones.
    expected = 2 * 120 / (2 * 120 + 20)
    assert abs(chosen.metrics["f1_10px_left_out"] - expected) < 1e-4
    # 20 of 60 positive there instead of 20 of 40, and nothing wrong in the others.
    assert abs(chosen.metrics["index_error_points_left_out"] - (50 - 100 / 3) / 3) < 1e-4


def test_cases_are_left_out_whole() -> None:
    # b and c are one case: neither says how high the other's false peaks are.
    images = [image("a", 0, 0.15), image("b", 1, 0.5, "bc"), image("c", 2, 0.5, "bc")]
    chosen = select(images)
    assert chosen.metrics["f1_10px"] == 1
    assert abs(chosen.metrics["f1_10px_left_out"] - 2 * 120 / (2 * 120 + 40)) < 1e-4
    alone = select([image("b", 1, 0.5, "bc"), image("c", 2, 0.5, "bc")])
    assert not [name for name in alone.metrics if name.endswith("left_out")]


def test_metrics_are_those_of_validation() -> None:
    rng = np.random.default_rng(5)
    images = []
    for number in range(3):
        clean = image(str(number), number, 0.3)
        noisy = clean.maps + rng.uniform(0, 0.6, clean.maps.shape).astype(np.float32)
        noisy[:, :100] *= 0.5
        images.append(PredictedImage(clean.name, clean.case, noisy, MAPS, clean.truth))
    chosen = select(images)
    for radius_px in (10.0, 5.0):
        found = prediction_metrics(images, chosen.settings, radius_px=radius_px)
        assert found.positive is not None and found.index_error is not None
        assert 0 < found.all.f1 < 1
        assert chosen.metrics[f"f1_{radius_px:.0f}px"] == round(found.all.f1, 4)
        assert chosen.metrics[f"f1_{radius_px:.0f}px_positive"] == round(found.positive.f1, 4)
    assert chosen.metrics["index_error_points"] == round(
        prediction_metrics(images, chosen.settings).index_error or 0, 4
    )


def counted(*candidates: tuple[int, int, int, int, int, int]) -> ThresholdCounts:
    """Candidates that find, in two images of 100 positive and 100 negative cells each, that many cells.

    (positive matched, false, negative matched, false) in the first image, (positive, negative matched) in the second.
    """
    counts = np.zeros((2, len(candidates), 2, 3, 3), np.int64)
    for number, (positive, false_positive, negative, false_negative, positive_2, negative_2) in enumerate(
        candidates
    ):
        for place, (p, fp, n, fn) in enumerate(
            ((positive, false_positive, negative, false_negative), (positive_2, 0, negative_2, 0))
        ):
            by_class = [(p, fp, 100 - p), (n, fn, 100 - n)]
            counts[:, number, place, 0] = np.sum(by_class, axis=0)
            counts[:, number, place, 1:] = by_class
    return ThresholdCounts(("a", "b"), has_classes=True, counts=counts)


def uneven(seed: int, share: float) -> PredictedImage:
    """Peaks of 0.1 to 0.6, whose negative ones are lower by that share, and the same cells as truth."""
    rng = np.random.default_rng(seed)
    places = np.arange(100)
    x, y = (np.asarray(place * 20.0 + 10.5, np.float64) for place in (places % 10, places // 10))
    class_id = rng.permutation(np.repeat([POSITIVE, NEGATIVE], 50)).astype(np.uint8)
    heights = np.empty(100)
    for one, factor in ((POSITIVE, 1.0), (NEGATIVE, share)):
        heights[class_id == one] = np.linspace(0.1, 0.6, 50) * factor
    maps = np.zeros((3, 200, 200), np.float32)
    own = np.where(class_id == POSITIVE, 0, 1)
    maps[own, y.astype(int), x.astype(int)] = heights
    return PredictedImage(str(seed), str(seed), maps, MAPS, Cells(x, y, np.ones(100, np.float32), class_id))


@pytest.mark.parametrize(("share", "gain"), [(1.0, 1.0), (1 / 1.2, 1.2), (1 / 1.5, 1.5), (1 / 1.8, 1.8)])
def test_the_steadiest_gain_makes_up_for_lower_negative_maps(share: float, gain: float) -> None:
    images = [uneven(0, share), uneven(1, share)]
    assert steadiest_gain(images) == gain
    for evidence in ("max", "separate"):
        assert steadiest_gain(images, evidence=evidence, window_px=15) == gain
    chosen = select(images)
    assert chosen.settings.negative_gain == gain
    assert select(images, negative_gain=1.3).settings.negative_gain == 1.3
    # One cell of these moves the index by half a point.
    drifts = []
    for one in (1.0, chosen.settings.negative_gain):
        settings = DecodeSettings(MAPS, "sum", 11, THRESHOLDS[0], negative_gain=one)
        found = threshold_counts(images, lambda image, own=settings: image.predicted(own))  # type: ignore[misc]
        drifts.append(index_drift(found.statistics()[0]))
    assert drifts[1] <= drifts[0]
    if share == 1 / 1.5:
        assert drifts[1] < 0.6 < 1.2 < drifts[0]


def test_without_classes_there_is_no_gain() -> None:
    image_ = uneven(0, 0.5)
    nuclei = np.full(len(image_.truth.x), NUCLEUS, np.uint8)
    truth = Cells(image_.truth.x, image_.truth.y, image_.truth.score, nuclei)
    assert steadiest_gain([replace(image_, truth=truth)]) == 1
    assert steadiest_gain([replace(image_, maps=image_.maps[1:2], map_names=("nucleus",), truth=truth)]) == 1
    # The nucleus map has no gain either.
    assert steadiest_gain([image_], evidence="nucleus") == 1
    assert select([image_], evidence="nucleus", negative_gain=1.5).settings.negative_gain == 1


def test_of_equally_good_settings_recall_decides() -> None:
    sure = (80, 0, 80, 0, 80, 80)  # recall 0.8, precision 1, F1 0.889
    many = (88, 22, 88, 0, 88, 88)  # recall 0.88, 22 false of 374 found: F1 0.910
    more = (92, 50, 92, 0, 92, 92)  # recall 0.92, 50 false of 418: F1 0.900, too far from the best
    equal = (90, 34, 90, 0, 90, 90)  # recall 0.9, 34 false of 394: F1 0.907, within 0.005 of 0.910
    assert best_place(counted(sure, many)) == 1
    assert best_place(counted(many, more)) == 0
    assert best_place(counted(many, equal)) == 1
    assert best_place(counted(equal, many, more, sure)) == 0
    assert best_place(counted(many, many)) == 0
    # Whether there are classes doesn't matter.
    table = counted(many, equal)
    assert best_place(ThresholdCounts(table.cases, has_classes=False, counts=table.counts)) == 1
    # Which images count does: the second one alone holds no false cells.
    assert best_place(counted(many, more), np.array([False, True])) == 1


def test_models_of_one_map() -> None:
    images = []
    for name, seed, false_peak in (("a", 0, 0.25), ("b", 1, 0.35)):
        classed = image(name, seed, false_peak)
        truth = Cells(classed.truth.x, classed.truth.y, classed.truth.score, np.full(40, NUCLEUS, np.uint8))
        images.append(PredictedImage(name, name, classed.maps[:2].max(axis=0)[None], ("nucleus",), truth))
    chosen = select(images)
    assert (chosen.settings.maps, chosen.settings.evidence) == (("nucleus",), "nucleus")
    assert 0.35 <= chosen.settings.threshold < 1
    figures = {"f1_10px", "f1_5px", "count_mae", "median_score", "f1_10px_left_out", "f1_5px_left_out"}
    assert set(chosen.metrics) == figures
    assert chosen.metrics["f1_5px"] == 1


def test_models_of_two_maps() -> None:
    three = image("a", 0, 0.25)
    chosen = select([PredictedImage("a", "a", three.maps[:2], MAPS[:2], three.truth)])
    assert chosen.settings.maps == ("positive", "negative")
    assert chosen.metrics["f1_10px_negative"] == 1


@pytest.mark.parametrize("evidence", ["max", "sum"])
def test_settings_that_were_asked_for_are_taken(evidence: Evidence) -> None:
    images = [image("a", 0, 0.25), image("b", 1, 0.35)]
    free = select(images, evidence=evidence)
    assert free.settings.evidence == evidence
    held = select(images, evidence=evidence, threshold=0.05)
    assert (held.settings.evidence, held.settings.threshold) == (evidence, 0.05)
    assert held.metrics["f1_10px"] < free.metrics["f1_10px"]  # the false peaks are above it
    assert "f1_10px_left_out" in held.metrics  # the window is chosen
    settled = select(images, evidence=evidence, window_px=11, threshold=0.05)
    assert not [name for name in settled.metrics if name.endswith("left_out")]  # nothing is


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_measured_as_it_would_find_cells(method: str) -> None:
    """The figures are those of decoding and matching again with what was chosen."""
    rng = np.random.default_rng(2)
    images = []
    for number in range(2):
        clean = image(str(number), number, 0.3)
        noise = rng.uniform(0, 0.95, clean.maps.shape).astype(np.float32)
        images.append(PredictedImage(clean.name, clean.case, clean.maps + noise, MAPS, clean.truth))
    chosen = select(images, method=method)
    assert chosen.settings.method == method
    assert chosen.settings.window_px in METHODS[method].windows_px
    assert chosen.settings.threshold == METHODS[method].threshold or METHODS[method].threshold is None
    found = prediction_metrics(images, chosen.settings)
    assert 0 < found.all.f1 < 1
    assert chosen.metrics["f1_10px"] == round(found.all.f1, 4)
    settled = select(
        images, method=method, evidence="separate", window_px=15, threshold=0.155, negative_gain=1.2
    )
    assert settled.settings == DecodeSettings(MAPS, "separate", 15, 0.155, method, 1.2)
    assert settled.metrics["f1_10px"] == round(prediction_metrics(images, settled.settings).all.f1, 4)


def test_separate_prediction_is_only_taken_if_it_is_asked_for() -> None:
    images = [image("a", 0, 0.25), image("b", 1, 0.35)]
    for one in images:
        one.maps[0] = np.maximum(
            one.maps[0], one.maps[1] * np.float32(0.9)
        )  # each negative cell in both maps
    assert select(images).settings.evidence in ("max", "sum")
    separate = select(images, evidence="separate", threshold=0.5)
    # 40 cells of each image are found, and its 20 negative ones once more as positive.
    assert separate.metrics["f1_10px"] == round(2 * 40 / (2 * 40 + 20), 4)
    assert separate.metrics["f1_10px_negative"] == 1
    assert separate.metrics["f1_10px_positive"] == round(2 * 20 / (2 * 20 + 20), 4)


def test_settings_that_make_no_sense_are_refused() -> None:
    three = image("a", 0, 0.25)
    two = PredictedImage("a", "a", three.maps[:2], MAPS[:2], three.truth)
    with pytest.raises(UsageError, match="evidence 'nucleus' needs the maps nucleus"):
        select([two], evidence="nucleus")
    with pytest.raises(UsageError, match="no method 'peaks'; choose ccls"):
        select([three], method="peaks")
    with pytest.raises(UsageError, match="window_px is 12"):
        select([three], window_px=12)
    with pytest.raises(UsageError, match="nothing exceeds the threshold 1 of lmss"):
        select([three], method="lmss", threshold=1.0)


def test_no_images_no_choice() -> None:
    with pytest.raises(UsageError, match="no images"):
        select([])


@given(
    seed=st.integers(0, 10_000), levels=st.sampled_from([4, 20, 1000]), window_px=st.sampled_from(WINDOWS_PX)
)
def test_a_threshold_is_a_filter_of_what_a_lower_one_finds(seed: int, levels: int, window_px: int) -> None:
    # Few levels make plateaus and equal peaks, and scores that equal thresholds.
    maps = np.random.default_rng(seed).integers(0, levels, (3, 40, 50)).astype(np.float32) / np.float32(
        levels
    )
    for evidence in ("max", "sum", "nucleus"):
        low = decode(maps, DecodeSettings(MAPS, evidence, window_px, THRESHOLDS[0]))
        for threshold in THRESHOLDS[::8]:
            found = decode(maps, DecodeSettings(MAPS, evidence, window_px, threshold))
            kept = low.score > threshold
            for name in ("x", "y", "score", "class_id"):
                np.testing.assert_array_equal(getattr(found, name), getattr(low, name)[kept])


def test_threshold_counts_are_those_of_each_threshold() -> None:
    images = [image("a", 0, 0.25), image("b", 1, 0.35)]
    settings = DecodeSettings(MAPS, "sum", 21, THRESHOLDS[0])
    table = threshold_counts(images, lambda one: one.predicted(settings))
    for threshold in (0.2, 0.3, 0.5):
        expected = prediction_metrics(images, DecodeSettings(MAPS, "sum", 21, threshold), radius_px=5.0)
        counts = table.counts[1, THRESHOLDS.index(threshold)].sum(axis=0)
        for place, one in enumerate((expected.all, expected.positive, expected.negative)):
            assert one is not None
            assert counts[place].tolist() == [one.true_positives, one.false_positives, one.false_negatives]
