"""The choice of a method's window and threshold (§3.2, Tables 2, 3 and 10), the same for all rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from wsi_edt.evaluation.outcomes import Outcomes
from wsi_edt.evaluation.pairs import ImagePair
from wsi_edt.evaluation.predictions import PredictedImage
from wsi_edt.maps import METHODS, DecodeSettings, Evidence

RADII_PX = (5.0, 10.0)  # the paper's, px of the image at 512×512
# Dense where the maps of a short training peak; the paper's own threshold is 0.06.
ABSOLUTE = tuple(
    float(one) for one in np.round([*np.arange(0.02, 0.1, 0.01), *np.arange(0.1, 0.62, 0.02)], 2)
)
RELATIVE = tuple(float(one) for one in np.round(np.arange(0.1, 0.92, 0.02), 2))


def thresholds_of(method: str) -> tuple[float, ...]:
    """The thresholds that are compared for a method: its publication's own, values of the map, or shares of its maximum."""
    facts = METHODS[method]
    if facts.threshold is not None:
        return (facts.threshold,)
    return RELATIVE if facts.is_relative else ABSOLUTE


def words_of(settings: DecodeSettings) -> str:
    """For example "ccls, 11 px, 0.14"."""
    return f"{settings.method}, {settings.window_px} px, {settings.threshold:.2g}"


def best_settings(images: Sequence[PredictedImage], method: str) -> DecodeSettings:
    """The method's window and threshold with the highest F1, the mean of that at 5 and 10 px.

    With positive and negative maps each is decoded for itself, the paper's separate prediction, and F1 is the mean of both
    classes'. A threshold is a filter on what is found at a lower one: whether a px is its window's maximum doesn't depend
    on it, and peak_local_max takes the highest first.
    """
    names = images[0].map_names
    evidence: Evidence = "nucleus" if "nucleus" in names else "separate"
    thresholds = thresholds_of(method)
    candidates: list[tuple[float, DecodeSettings]] = []
    for window_px in METHODS[method].windows_px:
        lowest = DecodeSettings(names, evidence, window_px, 0.0, method)
        pairs = [image.paired(lowest) for image in images]
        f1 = np.mean([_f1(outcomes_of(pairs, lowest, radius), thresholds) for radius in RADII_PX], axis=0)
        place = int(np.argmax(f1))
        candidates.append((float(f1[place]), replace(lowest, threshold=thresholds[place])))
    return max(candidates, key=lambda one: one[0])[1]


def outcomes_of(pairs: Sequence[ImagePair], settings: DecodeSettings, radius_px: float) -> Outcomes:
    """What became of the cells that these settings found."""
    return Outcomes.of(pairs, radius_px=radius_px, has_classes="positive" in settings.maps)


def _f1(outcomes: Outcomes, thresholds: Sequence[float]) -> npt.NDArray[np.float64]:
    """(T,) F1 at each threshold."""
    counts = outcomes.counts(thresholds).sum(axis=1)  # (T, 3, 3)
    matched, false, missed = np.moveaxis(counts[:, 1:] if outcomes.has_classes else counts[:, :1], -1, 0)
    f1: npt.NDArray[np.float64] = (2 * matched / np.maximum(2 * matched + false + missed, 1)).mean(axis=1)
    return f1
