"""An evaluation: what was compared with the truth, how well it agrees, and the files about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wsi_edt.annotations import AnnotatedSlide
from wsi_edt.cells import Cells
from wsi_edt.datasets import LabelledImage
from wsi_edt.errors import UsageError
from wsi_edt.evaluation.assessment import Assessment, assess
from wsi_edt.evaluation.bootstrap import RESAMPLES
from wsi_edt.evaluation.pairs import ImagePair, read_pairs
from wsi_edt.evaluation.sweep import sweep_csv
from wsi_edt.files import write_atomically
from wsi_edt.qupath.classes import ClassNames

_NO_NAMES = ClassNames()


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Predicted cells against annotated ones.

    Attributes
    ----------
    assessment : how well they agree
    pairs : of each image, in px of `assessment.radius_mpp` µm
    title : what was compared, in words
    facts : what was compared, for the JSON
    note : a sentence on what the labels can't tell; empty if they can be trusted
    images : of a data set, in the order of `pairs`
    """

    assessment: Assessment
    pairs: Sequence[ImagePair]
    title: str
    facts: Mapping[str, object]
    note: str = ""
    images: Sequence[LabelledImage] = ()

    @property
    def cases(self) -> int:
        """How many cases the images are of."""
        return len({pair.case for pair in self.pairs})


def evaluate_files(
    predicted: Path,
    truth: Path,
    *,
    radii_px: Sequence[float],
    points_mpp: float | None = None,
    radius_mpp: float | None = None,
    resamples: int = RESAMPLES,
    classes: ClassNames = _NO_NAMES,
    slide: AnnotatedSlide | None = None,
) -> Evaluation:
    """Compare points files.

    Parameters
    ----------
    predicted, truth : files or folders, see `read_pairs`
    radii_px : see `assess`
    points_mpp : µm per px of both files' coordinates; None: the slide's or, without one, the radii are in the files' own
        px
    radius_mpp : with `points_mpp`, µm per px of the radii
    resamples : see `assess`
    classes : what names of classes stand for beside Positive, Negative and Nucleus
    slide : that both files' cells were marked on, see `read_points`

    Raises
    ------
    AnnotationError
        If the files can't be read, or don't belong together.
    UsageError
        If they hold no image.
    """
    if points_mpp is None and slide is not None:
        points_mpp = slide.mpp
    pairs: Sequence[ImagePair] = read_pairs(predicted, truth, mpp=points_mpp, classes=classes, slide=slide)
    if not pairs:
        raise UsageError(
            "holds a point, so that there is nothing to compare", where=f"neither {predicted} nor {truth}"
        )
    if points_mpp is None:
        radius_mpp = None
    elif radius_mpp is not None:
        pairs = [_scaled(pair, points_mpp / radius_mpp) for pair in pairs]
    return Evaluation(
        assess(pairs, radii_px=radii_px, radius_mpp=radius_mpp, resamples=resamples),
        pairs,
        title=f"{predicted.name} against {truth.name}",
        facts={"predicted": str(predicted), "truth": str(truth)},
    )


def _scaled(pair: ImagePair, factor: float) -> ImagePair:
    def scaled(cells: Cells) -> Cells:
        return replace(cells, x=cells.x * factor, y=cells.y * factor)

    return replace(pair, predicted=scaled(pair.predicted), truth=scaled(pair.truth))


def write_json(path: Path, evaluation: Evaluation) -> None:
    """Write all figures of an evaluation; OutputError if the file can't be written."""
    facts = {**evaluation.facts, "note": evaluation.note or None, **evaluation.assessment.to_json()}
    write_atomically(path, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())


def write_sweep(path: Path, evaluation: Evaluation) -> None:
    """Write the metrics at every threshold as CSV.

    Raises
    ------
    UsageError
        If all predictions have the same score.
    OutputError
        If the file can't be written.
    """
    sweeps = evaluation.assessment.sweeps
    if not sweeps:
        raise UsageError(
            "has one score for all predictions, so that there is nothing to sweep",
            where=evaluation.title,
            remedy="leave --sweep out, or give predictions with scores",
        )
    write_atomically(path, sweep_csv(sweeps))
