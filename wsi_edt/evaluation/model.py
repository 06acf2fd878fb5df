"""A model against a data set, run as a run would run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from wsi_edt.bundles import Bundle
from wsi_edt.datasets import Labelled, LabelledImage, SetSpec, read_set
from wsi_edt.detection.compute import Compute
from wsi_edt.detection.detector import Detector
from wsi_edt.evaluation.assessment import assess
from wsi_edt.evaluation.bootstrap import RESAMPLES
from wsi_edt.evaluation.evaluation import Evaluation
from wsi_edt.evaluation.pairs import ImagePair
from wsi_edt.evaluation.predictions import Predictor
from wsi_edt.maps import DecodeSettings

SWEPT_FROM = 0.04  # the lowest score in a sweep: below it an EDT map is noise

Progress = Callable[[Sequence[LabelledImage]], Iterable[LabelledImage]]


def evaluate_model(
    bundle: Bundle,
    spec: SetSpec,
    *,
    compute: Compute,
    radii_px: Sequence[float],
    resamples: int = RESAMPLES,
    progress: Progress = iter,
) -> Evaluation:
    """Compare the cells that a model finds in a data set's images with the annotated ones; px are the model's.

    Parameters
    ----------
    bundle : the model
    spec : the data set
    compute : what computes the model
    radii_px, resamples : see `assess`
    progress : yields the images, and may show how many are done

    Raises
    ------
    AnnotationError
        If the set can't be read.
    ModelError
        If the model's weights aren't its own, or can't be computed here.
    """
    images = read_set(spec, Path())
    # Cells with lower scores than the model's threshold serve the sweep.
    settings = replace(bundle.decode, threshold=min(SWEPT_FROM, bundle.decode.threshold))
    detector = Detector.load(bundle, settings=settings, compute=compute)
    predictor = Predictor(detector, bundle.model_mpp, settings.maps, bundle.network.stride)
    pairs = list(_pairs(predictor, settings, progress(images)))
    return Evaluation(
        assess(
            pairs,
            radii_px=radii_px,
            radius_mpp=bundle.model_mpp,
            threshold=bundle.decode.threshold,
            resamples=resamples,
        ),
        pairs,
        title=f"{bundle.name} {bundle.version} on {spec.format}, {spec.split}",
        facts={
            "model": f"{bundle.name} {bundle.version}",
            "dataset": spec.format,
            "split": spec.split,
            "method": bundle.decode.method,
            "evidence": bundle.decode.evidence,
            "window_px": bundle.decode.window_px,
            "negative_gain": bundle.decode.negative_gain,
        },
        note=_note_on_labels(images, has_classes="positive" in bundle.decode.maps),
        images=images,
    )


def _pairs(
    predictor: Predictor, settings: DecodeSettings, images: Iterable[LabelledImage]
) -> Iterable[ImagePair]:
    for image in images:  # one at a time: the maps of thousands wouldn't fit in memory
        yield predictor.predict(image).paired(settings)


def _note_on_labels(images: Sequence[LabelledImage], *, has_classes: bool) -> str:
    partial = sum(
        (image.nuclei if image.classes is Labelled.NOWHERE or not has_classes else image.classes)
        is Labelled.NEAR_POINTS
        for image in images
    )
    if not partial:
        return ""
    return (
        f"The labels of {partial} of {len(images)} images are partial: cells without a point count as false although they "
        "may be right. Recall can be trusted; precision, F1, counts and the index can't."
    )
