"""Scores of predicted against true cells over a set of images (paper §4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.evaluation.matching import Points, match_points


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

    def to_json(self) -> dict[str, int | float]:
        """The counts and the ratios."""
        return {
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "false_negatives": self.false_negatives,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


@dataclass(frozen=True, slots=True)
class ImageScores:
    """How well the cells of a set of images were found at one radius.

    Attributes
    ----------
    radius_px : the largest distance of a match, in px of the points
    images : how many images there are
    all : whatever their class
    positive, negative : of one class; None where predictions or truth have no classes
    count_mae, count_rmse : mean absolute and root mean square error of the images' numbers of cells
    index_error : mean absolute error of the images' Ki-67 index in percentage points, over the images that
        have true cells; None where there are no classes
    """

    radius_px: float
    images: int
    all: DetectionScore
    positive: DetectionScore | None
    negative: DetectionScore | None
    count_mae: float
    count_rmse: float
    index_error: float | None

    def to_json(self) -> dict[str, object]:
        """All of it, as JSON can hold it."""
        classes = {"all": self.all, "positive": self.positive, "negative": self.negative}
        return {
            "radius_px": self.radius_px,
            "images": self.images,
            "scores": {name: score.to_json() for name, score in classes.items() if score is not None},
            "count_mae": self.count_mae,
            "count_rmse": self.count_rmse,
            "index_error_points": self.index_error,
        }


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
    matches = len(match_points(predicted, truth, radius_px=radius_px))
    excused = matches
    if ignored is not None and len(ignored):
        # A largest matching with the cells grows into a largest one with both kinds of points without giving
        # a cell up (augmenting paths never do): what the second has in addition are predictions to ignore.
        excused = len(match_points(predicted, np.concatenate([truth, ignored]), radius_px=radius_px))
    return DetectionScore(matches, len(predicted) - excused, len(truth) - matches)


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
    scores: dict[CellClass | None, list[DetectionScore]] = {}
    for class_id in (None, CellClass.POSITIVE, CellClass.NEGATIVE):
        scores[class_id] = [
            score_points(
                _points(found, class_id), _points(truth, class_id), radius_px=radius_px, ignored=spots
            )
            for (found, truth), spots in zip(images, ignored, strict=True)
        ]
    errors = np.array([score.predicted - score.truth for score in scores[None]], dtype=np.float64)
    positive, negative = scores[CellClass.POSITIVE], scores[CellClass.NEGATIVE]
    has_classes = _has_classes([truth for _, truth in images]) and _has_classes(
        [found for found, _ in images]
    )
    return ImageScores(
        radius_px=radius_px,
        images=len(images),
        all=sum(scores[None], DetectionScore()),
        positive=sum(positive, DetectionScore()) if has_classes else None,
        negative=sum(negative, DetectionScore()) if has_classes else None,
        count_mae=float(np.abs(errors).mean()) if len(errors) else 0.0,
        count_rmse=float(np.sqrt(np.square(errors).mean())) if len(errors) else 0.0,
        index_error=_index_error(positive, negative) if has_classes else None,
    )


def _points(cells: Cells, class_id: CellClass | None) -> Points:
    """The cells' (x, y), of one class or of all."""
    points = np.stack([cells.x, cells.y], axis=1)
    return points if class_id is None else points[cells.class_id == class_id]


def _has_classes(parts: Sequence[Cells]) -> bool:
    """Whether any of the cells has a class; no cells at all might have had one."""
    classes = np.concatenate([part.class_id for part in parts]) if parts else np.zeros(0, np.uint8)
    return len(classes) == 0 or bool(np.any(classes != CellClass.NUCLEUS))


def _index_error(positive: Sequence[DetectionScore], negative: Sequence[DetectionScore]) -> float | None:
    """The mean absolute error of the Ki-67 index, in points, over images with true cells; None without any.

    An image in which nothing was found counts as 0 %: leaving it out would flatter.
    """
    found = np.array([[p.predicted, n.predicted] for p, n in zip(positive, negative, strict=True)]).reshape(
        -1, 2
    )
    truth = np.array([[p.truth, n.truth] for p, n in zip(positive, negative, strict=True)]).reshape(-1, 2)
    scored = truth.sum(axis=1) > 0
    if not scored.any():
        return None
    found, truth = found[scored], truth[scored]
    found_index = 100.0 * found[:, 0] / np.maximum(found.sum(axis=1), 1)
    truth_index = 100.0 * truth[:, 0] / truth.sum(axis=1)
    return float(np.abs(found_index - truth_index).mean())
