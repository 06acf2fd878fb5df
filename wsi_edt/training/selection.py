"""Chooses how a model's maps become cells (evidence, window, threshold) on validation images, and what that is worth."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from wsi_edt.evaluation import DetectionScore
from wsi_edt.maps import DecodeSettings, Evidence
from wsi_edt.training.targets import MAPS
from wsi_edt.training.validation import PredictedImage, score

WINDOWS_PX = (11, 21)  # one 11×11 pooling, or the paper's two
THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.04, 0.61, 0.01), 2))
RADII_PX = (10.0, 5.0)  # the paper's two matching radii, model px


@dataclass(frozen=True, slots=True)
class Selection:
    """The settings that score best on the validation images.

    Attributes
    ----------
    settings : what was chosen
    scores : measured with them on the same images, by name
    """

    settings: DecodeSettings
    scores: dict[str, float]


def select(images: Sequence[PredictedImage]) -> Selection:
    """The settings with the best mean F1 of all cells at 10 and 5 px.

    The scores say what they reach on the images that chose them, and what is left of it when each image is scored with the
    settings that the others choose (``f1_10px_left_out``).
    """
    tables = {settings: [_counts(image, settings) for image in images] for settings in _candidates()}
    everything = list(range(len(images)))
    best = _best(tables, everything)
    left_out = [
        tables[_best(tables, [other for other in everything if other != held])][held][0]
        for held in everything
    ]
    scores: dict[str, float] = {}
    for radius_px in RADII_PX:
        found = score(images, best, radius_px=radius_px)
        assert found.positive is not None and found.negative is not None and found.index_error is not None
        scores |= {
            f"f1_{radius_px:.0f}px": found.all.f1,
            f"f1_{radius_px:.0f}px_positive": found.positive.f1,
            f"f1_{radius_px:.0f}px_negative": found.negative.f1,
        }
        scores["index_error_points"] = found.index_error
        scores["count_mae"] = found.count_mae
    scores["f1_10px_left_out"] = sum(left_out, DetectionScore()).f1
    return Selection(best, {name: round(value, 4) for name, value in scores.items()})


def _candidates() -> Iterator[DecodeSettings]:
    for evidence, window_px, threshold in itertools.product(get_args(Evidence), WINDOWS_PX, THRESHOLDS):
        yield DecodeSettings(MAPS, evidence, window_px, threshold)


def _counts(image: PredictedImage, settings: DecodeSettings) -> tuple[DetectionScore, ...]:
    return tuple(score([image], settings, radius_px=radius_px).all for radius_px in RADII_PX)


def _best(
    tables: dict[DecodeSettings, list[tuple[DetectionScore, ...]]], which: Sequence[int]
) -> DecodeSettings:
    """The settings with the best mean F1 over the images `which`; of equal ones the first."""

    def mean_f1(settings: DecodeSettings) -> float:
        by_radius = zip(*(tables[settings][index] for index in which), strict=True)
        return float(np.mean([sum(scores, DetectionScore()).f1 for scores in by_radius]))

    return max(tables, key=mean_f1)
