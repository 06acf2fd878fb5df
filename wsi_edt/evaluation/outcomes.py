"""What became of each prediction and each cell of a set of images, kept so that any score threshold can be applied."""

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
    excused : (N,) bool, whether it is something that may be found without harm
    truth : how many cells there are
    """

    score: npt.NDArray[np.float32]
    matched: npt.NDArray[np.bool_]
    excused: npt.NDArray[np.bool_]
    truth: int

    @classmethod
    def of(cls, predicted: Cells, truth: Points, *, ignored: Points, radius_px: float) -> ClassOutcomes:
        """The outcomes of predictions, matched one to one, the surest first (see `matched_in_order`).

        Parameters
        ----------
        predicted : in px of one frame with the others
        truth : (M, 2) (x, y) px
        ignored : (K, 2) points of things that aren't cells but may be found without harm, one prediction each (SHIDC's
            lymphocytes); a match with a cell comes first
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
    images, cases : (N,) names; images of one case share theirs
    by_image : for each image its outcomes in the order of `CLASSES`
    """

    radius_px: float
    has_classes: bool
    images: tuple[str, ...]
    cases: tuple[str, ...]
    by_image: tuple[tuple[ClassOutcomes, ...], ...]

    @classmethod
    def of(cls, pairs: Sequence[ImagePair], *, radius_px: float, has_classes: bool | None = None) -> Outcomes:
        """Match the predictions of each image with its cells, each class by itself and all together.

        With classes, cells of neither class (`CellClass.NUCLEUS`) aren't counted, but may be found without harm: SHIDC's
        lymphocytes. Without them they are cells like all others.

        Parameters
        ----------
        pairs : of each image
        radius_px : the largest distance of a match, inclusive
        has_classes : whether there are classes; None: if any predicted and any true cell has one
        """
        if has_classes is None:
            has_classes = _tell_classes([p.truth for p in pairs]) and _tell_classes(
                [p.predicted for p in pairs]
            )
        return cls(
            radius_px,
            has_classes,
            tuple(pair.image for pair in pairs),
            tuple(pair.case for pair in pairs),
            tuple(_image_outcomes(pair, radius_px=radius_px, has_classes=has_classes) for pair in pairs),
        )

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


def _image_outcomes(pair: ImagePair, *, radius_px: float, has_classes: bool) -> tuple[ClassOutcomes, ...]:
    """One image's outcomes in the order of `CLASSES`."""
    ignored = (pair.truth.class_id == CellClass.NUCLEUS) & has_classes
    cells, spots = pair.truth.select(~ignored), points_of(pair.truth.select(ignored))
    return tuple(
        ClassOutcomes.of(
            _of_class(pair.predicted, class_id),
            points_of(_of_class(cells, class_id)),
            ignored=spots,
            radius_px=radius_px,
        )
        for class_id in _CLASS_IDS
    )


def _tell_classes(parts: Sequence[Cells]) -> bool:
    """Whether any of the cells has a class; if there are no cells, they might have had one."""
    classes = np.concatenate([part.class_id for part in parts]) if parts else np.zeros(0, np.uint8)
    return len(classes) == 0 or bool(np.any(classes != CellClass.NUCLEUS))
