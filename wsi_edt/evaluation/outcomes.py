"""What became of each prediction and each cell of a set of images, kept so that any score threshold can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass, Cells
from wsi_edt.evaluation.matching import Points, matched_in_order
from wsi_edt.evaluation.pairs import ImagePair

CLASSES = ("all", "positive", "negative")  # the order of every array of counts by class
MATCHED, FALSE, MISSED = 0, 1, 2  # the places in its last axis
_CLASS_IDS = (None, CellClass.POSITIVE, CellClass.NEGATIVE)

CountArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ClassOutcomes:
    """One image's predictions of one class in descending order of their scores, and how many cells there are.

    Attributes
    ----------
    score : (N,) float32, descending
    matched : (N,) bool, whether it is a cell
    excused : (N,) bool, whether it is a thing that may be found without harm
    truth : how many cells there are
    """

    score: npt.NDArray[np.float32]
    matched: npt.NDArray[np.bool_]
    excused: npt.NDArray[np.bool_]
    truth: int

    @classmethod
    def of(cls, predicted: Cells, truth: Points, *, ignored: Points, radius_px: float) -> ClassOutcomes:
        """The outcomes of predictions, matched one to one from the surest on (see `matched_in_order`).

        Parameters
        ----------
        predicted : in px of one frame with the others
        truth, ignored : (M, 2) and (K, 2), see `score_points`
        radius_px : the largest distance of a match, inclusive
        """
        order = np.argsort(-predicted.score, kind="stable")
        points = points_of(predicted)[order]
        matched = matched_in_order(points, truth, radius_px=radius_px)
        # What enlarges a matching with the cells alone also enlarges one with cells and ignored points (contracting the
        # ignored points never frees a prediction): what the second has in addition are predictions to ignore.
        found = matched
        if len(ignored):
            found = matched_in_order(points, np.concatenate([truth, ignored]), radius_px=radius_px)
        return cls(predicted.score[order], matched, found & ~matched, len(truth))

    def counts(self, thresholds: Sequence[float]) -> CountArray:
        """(T, 3) int64: matched, false and missed when only predictions with a score above a threshold count."""
        # As `decode` compares: float32 scores with the threshold rounded to float32.
        above = np.searchsorted(-self.score, -np.asarray(thresholds, np.float32), side="left")
        matched = np.concatenate([[0], np.cumsum(self.matched)])[above]
        excused = np.concatenate([[0], np.cumsum(self.excused)])[above]
        return np.stack([matched, above - matched - excused, self.truth - matched], axis=-1).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What became of the predictions and cells of a set of images, at one matching radius.

    Attributes
    ----------
    radius_px : the largest distance of a match
    has_classes : whether both predictions and truth tell positive from negative
    images, cases : (N,) names; images of one case have one
    by_image : for each image its outcomes in the order of `CLASSES`
    """

    radius_px: float
    has_classes: bool
    images: tuple[str, ...]
    cases: tuple[str, ...]
    by_image: tuple[tuple[ClassOutcomes, ...], ...]

    @classmethod
    def of(cls, pairs: Sequence[ImagePair], *, radius_px: float) -> Outcomes:
        """Match the predictions of each image with its cells, of each class apart and of all together.

        Where both sides tell classes apart, cells of neither class (`CellClass.NUCLEUS`) are none of the count, but may be
        found without harm: SHIDC's lymphocytes. Otherwise they are cells like all others.
        """
        has_classes = tell_classes([p.truth for p in pairs]) and tell_classes([p.predicted for p in pairs])
        images = []
        for pair in pairs:
            other = (pair.truth.class_id == CellClass.NUCLEUS) & has_classes
            images.append((pair.predicted, pair.truth.select(~other), points_of(pair.truth.select(other))))
        return cls.of_images(
            images,
            radius_px=radius_px,
            names=[pair.image for pair in pairs],
            cases=[pair.case for pair in pairs],
            has_classes=has_classes,
        )

    @classmethod
    def of_images(
        cls,
        images: Sequence[tuple[Cells, Cells, Points]],
        *,
        radius_px: float,
        names: Sequence[str],
        cases: Sequence[str],
        has_classes: bool,
    ) -> Outcomes:
        """The same for (predicted, true cells, ignored points) of each image; see `score_points` for the ignored."""
        by_image = [
            tuple(
                ClassOutcomes.of(
                    _of_class(predicted, class_id),
                    points_of(_of_class(truth, class_id)),
                    ignored=ignored,
                    radius_px=radius_px,
                )
                for class_id in _CLASS_IDS
            )
            for predicted, truth, ignored in images
        ]
        return cls(radius_px, has_classes, tuple(names), tuple(cases), tuple(by_image))

    def counts(self, thresholds: Sequence[float] = (-np.inf,)) -> CountArray:
        """(T, N, 3, 3) int64: threshold × image × class × (matched, false, missed); by default all predictions count."""
        counts = np.zeros((len(thresholds), len(self.by_image), len(CLASSES), 3), np.int64)
        for number, image in enumerate(self.by_image):
            for place, outcomes in enumerate(image):
                counts[:, number, place] = outcomes.counts(thresholds)
        return counts


def points_of(cells: Cells) -> Points:
    """The cells' (x, y): (N, 2) float64."""
    return np.stack([cells.x, cells.y], axis=1)


def _of_class(cells: Cells, class_id: CellClass | None) -> Cells:
    return cells if class_id is None else cells.select(cells.class_id == class_id)


def tell_classes(parts: Sequence[Cells]) -> bool:
    """Whether any of the cells has a class; no cells at all might have had one."""
    classes = np.concatenate([part.class_id for part in parts]) if parts else np.zeros(0, np.uint8)
    return len(classes) == 0 or bool(np.any(classes != CellClass.NUCLEUS))
