"""How well a network in training finds the cells of labelled images, as a run would find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wsi_edt.datasets import Labelled, LabelledImage, by_set
from wsi_edt.detection.whole_image import NetworkMaps
from wsi_edt.evaluation import DetectionMetrics
from wsi_edt.evaluation.predictions import RADIUS_PX, Predictor, prediction_outcomes
from wsi_edt.maps import DecodeSettings, evidence_of, method_named
from wsi_edt.networks import IMAGENET
from wsi_edt.networks.network import Network
from wsi_edt.training.config import TrainConfig

# An EDT peak is one px wide: if the network is unsure of the px it says 0.2, early in a training less.
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)


def predictor_of(network: Network, config: TrainConfig) -> Predictor:
    """A network of that configuration, as it is now, as a run would use it."""
    return Predictor(NetworkMaps(network, IMAGENET), config.mpp, config.maps.names, network.stride)


def initial_settings(
    names: tuple[str, ...], *, method: str = "ccls", threshold: float = 0.15
) -> DecodeSettings:
    """How maps of these names become cells before a model's own settings are chosen."""
    window_px = method_named(method).windows_px[0]
    return DecodeSettings(names, evidence_of(names), window_px, threshold, method)


@dataclass(frozen=True, slots=True)
class SetValidation:
    """How well the cells in one set's images are found.

    Attributes
    ----------
    name : of the set
    trusted : whether a missing point means that nothing is there, so that F1 can be taken at its word
    metrics : for each of `THRESHOLDS`
    """

    name: str
    trusted: bool
    metrics: tuple[DetectionMetrics, ...]

    def __str__(self) -> str:
        parts = [
            f"{one.f1:.3f} at {threshold:g}" for one, threshold in zip(self.metrics, THRESHOLDS, strict=True)
        ]
        return f"{self.name} F1 {', '.join(parts)}" + ("" if self.trusted else " (labels are partial)")


@dataclass(frozen=True, slots=True)
class Validation:
    """The result of a validation.

    Attributes
    ----------
    f1 : of all cells, at the best of `THRESHOLDS`, pooled over the sets whose labels are trusted (over all if none is)
    threshold : that best one
    sets : each set by itself
    """

    f1: float
    threshold: float
    sets: tuple[SetValidation, ...]


def validate(predictor: Predictor, images: Sequence[LabelledImage], *, method: str = "ccls") -> Validation:
    """How well the network finds the cells of the images by a method of `wsi_edt.maps`: set by set, and pooled."""
    sets = tuple(_validate_set(predictor, found, method) for found in by_set(images).values())
    pooled = [one for one in sets if one.trusted] or sets
    f1 = [
        sum((one.metrics[number] for one in pooled), DetectionMetrics()).f1
        for number in range(len(THRESHOLDS))
    ]
    best = int(np.argmax(f1))
    return Validation(f1[best], THRESHOLDS[best], sets)


def _validate_set(predictor: Predictor, images: Sequence[LabelledImage], method: str) -> SetValidation:
    names = predictor.map_names
    # If no image has classes, positive and negative maps can't be judged; a nucleus map can.
    nuclei = "nucleus" in names and all(image.classes is Labelled.NOWHERE for image in images)
    # A threshold is a filter on what is found at a lower one, see `threshold_counts`.
    settings = initial_settings(names, method=method, threshold=THRESHOLDS[0])
    if nuclei:
        settings = replace(settings, evidence="nucleus")
    # One image at a time: the maps of thousands wouldn't fit in memory.
    pairs = [predictor.predict(image).paired(settings) for image in images]
    outcomes = prediction_outcomes(pairs, settings, radius_px=RADIUS_PX, nuclei=nuclei)
    of_all_cells = outcomes.counts(THRESHOLDS)[:, :, 0].sum(axis=1)  # (thresholds, 3)
    by_extent = {image.nuclei if settings.evidence == "nucleus" else image.classes for image in images}
    return SetValidation(
        images[0].dataset,
        by_extent == {Labelled.EVERYWHERE},
        tuple(DetectionMetrics(*counts) for counts in of_all_cells.tolist()),
    )
