"""Scores of predicted against true cells over a set of images (paper §4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.evaluation.bootstrap import Intervals, bootstrap
from wsi_edt.evaluation.matching import Points
from wsi_edt.evaluation.outcomes import CLASSES, ClassOutcomes, CountArray, Outcomes, tell_classes
from wsi_edt.evaluation.statistics import ImageSums, Statistics

# Figures by the names that JSON gives them; `Statistics` has them under the same names, or under these.
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
class DetectionScore:
    """Counts of matched and unmatched cells; they add up over images, and the ratios come from the sums."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: DetectionScore) -> DetectionScore:
        return DetectionScore(
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
class ImageScores:
    """How well the cells of a set of images were found at one radius.

    Attributes
    ----------
    radius_px : the largest distance of a match, in px of the points
    images : how many images there are
    all : whatever their class
    positive, negative : of one class; None where predictions or truth have no classes
    statistics : ratios, counting errors and index errors, all of shape () or (3,); those by class and of the index mean
        nothing where there are no classes
    intervals : of the statistics; None where none were asked for or the cases are too few
    """

    radius_px: float
    images: int
    all: DetectionScore
    positive: DetectionScore | None
    negative: DetectionScore | None
    statistics: Statistics
    intervals: Intervals | None

    @property
    def by_class(self) -> dict[str, DetectionScore]:
        """The scores that there are, by their names in `CLASSES`."""
        scores = zip(CLASSES, (self.all, self.positive, self.negative), strict=True)
        return {name: score for name, score in scores if score is not None}

    @property
    def has_index(self) -> bool:
        """Whether there is a Ki-67 index to compare: there are classes, and an image with cells."""
        return self.positive is not None and bool(np.isfinite(self.statistics.index_mae))

    @property
    def count_mae(self) -> float:
        """Mean absolute error of the images' numbers of cells."""
        return float(self.statistics.count_mae[0])

    @property
    def count_rmse(self) -> float:
        """Root mean square error of the images' numbers of cells."""
        return float(self.statistics.count_rmse[0])

    @property
    def index_error(self) -> float | None:
        """Mean absolute error of the images' Ki-67 index in percentage points; None where there is none."""
        return float(self.statistics.index_mae) if self.has_index else None

    def to_json(self) -> dict[str, object]:
        """All of it, as JSON can hold it."""
        classes = {
            name: score.to_json() | _by_name(self.statistics, COUNT_ERRORS, CLASSES.index(name))
            for name, score in self.by_class.items()
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


def score_points(
    predicted: Points, truth: Points, *, radius_px: float, ignored: Points | None = None
) -> DetectionScore:
    """The score of one image's points.

    Parameters
    ----------
    predicted, truth : (N, 2) and (M, 2) float64, (x, y) px of one frame
    radius_px : the largest distance of a match, inclusive
    ignored : (K, 2) points of things that are no cells but may be found without harm, one prediction each
        (SHIDC's lymphocytes); a match with a cell comes first
    """
    outcomes = ClassOutcomes.of(
        _cells_at(predicted),
        truth,
        ignored=np.zeros((0, 2)) if ignored is None else ignored,
        radius_px=radius_px,
    )
    return _detection_score(outcomes.counts((-np.inf,))[0])


def score_images(
    images: Sequence[tuple[Cells, Cells]], *, radius_px: float, ignored: Sequence[Points] | None = None
) -> ImageScores:
    """The score of a set of images: matched image by image, summed over all, ratios from the sums.

    Classes are matched apart from each other; `all` disregards them. Where all truth or all predictions are
    `CellClass.NUCLEUS`, there are no scores by class.

    Parameters
    ----------
    images : (predicted, truth) of each image, in px of one scale
    radius_px : the largest distance of a match, inclusive
    ignored : for each image, the (K, 2) points that predictions may meet without harm, see `score_points`
    """
    ignored = [np.zeros((0, 2))] * len(images) if ignored is None else ignored
    numbers = [str(number) for number in range(len(images))]
    outcomes = Outcomes.of_images(
        [(found, truth, spots) for (found, truth), spots in zip(images, ignored, strict=True)],
        radius_px=radius_px,
        names=numbers,
        cases=numbers,
        has_classes=all(tell_classes(side) for side in zip(*images, strict=True)),
    )
    return score_outcomes(outcomes)


def score_outcomes(outcomes: Outcomes, *, threshold: float = -np.inf, resamples: int = 0) -> ImageScores:
    """The score of predictions that are matched already.

    Parameters
    ----------
    outcomes : of all predictions
    threshold : only predictions with a score above it count
    resamples : of the bootstrap that gives the intervals; 0 gives none
    """
    counts = outcomes.counts((threshold,))[0]
    sums = ImageSums.of(counts)
    scores = [_detection_score(counts[:, place].sum(axis=0)) for place in range(len(CLASSES))]
    return ImageScores(
        radius_px=outcomes.radius_px,
        images=len(outcomes.images),
        all=scores[0],
        positive=scores[1] if outcomes.has_classes else None,
        negative=scores[2] if outcomes.has_classes else None,
        statistics=sums.statistics(),
        intervals=bootstrap(sums, outcomes.cases, resamples=resamples),
    )


def _detection_score(counts: CountArray) -> DetectionScore:
    """The score of (3,) counts: matched, false, missed."""
    return DetectionScore(*counts.tolist())


def _cells_at(points: Points) -> Cells:
    """Nuclei of no class at those points (N, 2)."""
    x, y = np.asarray(points, np.float64).reshape(-1, 2).T.copy()
    return Cells(x, y, np.ones(len(x), np.float32), np.full(len(x), CellClass.NUCLEUS, np.uint8))


def _by_name(
    statistics: Statistics, names: Iterable[str], place: int | None = None
) -> dict[str, float | None]:
    """Figures under the names that JSON gives them; None where there is none."""
    figures = {}
    for name in names:
        value = getattr(statistics, INDEX_FIGURES.get(name, name))
        value = float(value if place is None else value[place])
        figures[name] = value if np.isfinite(value) else None
    return figures
