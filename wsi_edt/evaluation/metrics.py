"""Precision, recall, F1, counting and index errors of predicted against true cells over a set of images (paper §4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from wsi_edt.evaluation.bootstrap import Intervals, bootstrap
from wsi_edt.evaluation.outcomes import CLASSES, Outcomes
from wsi_edt.evaluation.statistics import ImageSums, Statistics

# Figures by their names in JSON; in `Statistics` they have the same names, or these.
RATIOS = ("precision", "recall", "f1")
COUNT_ERRORS = ("count_mae", "count_rmse")
INDEX_FIGURES = {
    "mean_absolute_error_points": "index_mae",
    "bias_points": "index_bias",
    "lower_limit_of_agreement_points": "index_lower",
    "upper_limit_of_agreement_points": "index_upper",
    "pooled_found_percent": "index_found",
    "pooled_true_percent": "index_true",
}


@dataclass(frozen=True, slots=True)
class DetectionMetrics:
    """Counts of matched and unmatched cells; they add up over images, and the ratios come from the sums."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: DetectionMetrics) -> DetectionMetrics:
        return DetectionMetrics(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def predicted(self) -> int:
        """How many cells were predicted, less the ignored ones."""
        return self.true_positives + self.false_positives

    @property
    def truth(self) -> int:
        """How many cells there are."""
        return self.true_positives + self.false_negatives

    @property
    def precision(self) -> float:
        """The share of predictions that are cells, in [0, 1]; 0 without predictions."""
        return self.true_positives / max(self.predicted, 1)

    @property
    def recall(self) -> float:
        """The share of cells that were predicted, in [0, 1]; 0 without cells."""
        return self.true_positives / max(self.truth, 1)

    @property
    def f1(self) -> float:
        """2 · precision · recall / (precision + recall), in [0, 1]; 0 without a match."""
        return 2 * self.true_positives / max(self.predicted + self.truth, 1)

    def to_json(self) -> dict[str, float | None]:
        """The counts and the ratios."""
        return {
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "false_negatives": self.false_negatives,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


@dataclass(frozen=True, slots=True, eq=False)
class ImageMetrics:
    """How well the cells of a set of images were found, at one radius.

    Attributes
    ----------
    radius_px : the largest distance of a match, in px of the points
    images : how many images there are
    all : whatever their class
    positive, negative : of one class; None if predictions or truth have no classes
    statistics : ratios, counting errors and index errors, all of shape () or (3,); those by class and of the index mean
        nothing without classes
    intervals : of the statistics; None if none were asked for or there are too few cases
    """

    radius_px: float
    images: int
    all: DetectionMetrics
    positive: DetectionMetrics | None
    negative: DetectionMetrics | None
    statistics: Statistics
    intervals: Intervals | None

    @property
    def by_class(self) -> dict[str, DetectionMetrics]:
        """The metrics that there are, by their names in `CLASSES`."""
        metrics = zip(CLASSES, (self.all, self.positive, self.negative), strict=True)
        return {name: one for name, one in metrics if one is not None}

    @property
    def has_index(self) -> bool:
        """Whether there is a Ki-67 index to compare: classes, and an image with cells."""
        return self.positive is not None and bool(np.isfinite(self.statistics.index_mae))

    @property
    def index_error(self) -> float | None:
        """Mean absolute error of the images' Ki-67 index in percentage points; None if there is none."""
        return float(self.statistics.index_mae) if self.has_index else None

    def to_json(self) -> dict[str, object]:
        """All of it, as JSON can hold it."""
        classes = {
            name: one.to_json() | _by_name(self.statistics, COUNT_ERRORS, CLASSES.index(name))
            for name, one in self.by_class.items()
        }
        facts: dict[str, object] = {"radius_px": self.radius_px, "images": self.images, "scores": classes}
        facts["index"] = _by_name(self.statistics, INDEX_FIGURES) if self.has_index else None
        facts["intervals"] = None
        if self.intervals is not None:
            facts["intervals"] = {
                "level_percent": 95,
                "resamples": self.intervals.resamples,
                "cases": self.intervals.cases,
                "scores": {
                    name: self._interval((*RATIOS, *COUNT_ERRORS), CLASSES.index(name))
                    for name in self.by_class
                },
                "index": self._interval(INDEX_FIGURES) if self.has_index else None,
            }
        return facts

    def _interval(self, names: Iterable[str], place: int | None = None) -> dict[str, object]:
        assert self.intervals is not None
        ends = (_by_name(end, names, place) for end in (self.intervals.low, self.intervals.high))
        low, high = ends
        return {name: [low[name], high[name]] for name in low}


def image_metrics(outcomes: Outcomes, *, threshold: float = -np.inf, resamples: int = 0) -> ImageMetrics:
    """The metrics of a set of images: matched image by image, summed over all, ratios from the sums.

    Parameters
    ----------
    outcomes : of all predictions
    threshold : only predictions with a score above it count
    resamples : of the bootstrap that yields the intervals; 0 yields none
    """
    counts = outcomes.counts((threshold,))[0]
    sums = ImageSums.of(counts)
    by_class = [DetectionMetrics(*counts[:, place].sum(axis=0).tolist()) for place in range(len(CLASSES))]
    return ImageMetrics(
        radius_px=outcomes.radius_px,
        images=len(outcomes.images),
        all=by_class[0],
        positive=by_class[1] if outcomes.has_classes else None,
        negative=by_class[2] if outcomes.has_classes else None,
        statistics=sums.statistics(),
        intervals=bootstrap(sums, outcomes.cases, resamples=resamples),
    )


def _by_name(
    statistics: Statistics, names: Iterable[str], place: int | None = None
) -> dict[str, float | None]:
    """Figures under their names in JSON; None if there is none."""
    figures = {}
    for name in names:
        value = getattr(statistics, INDEX_FIGURES.get(name, name))
        value = float(value if place is None else value[place])
        figures[name] = value if np.isfinite(value) else None
    return figures
