"""Metrics over the score threshold, and how often predictions of a score are right."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsi_edt.evaluation.outcomes import CLASSES, FALSE, MATCHED, MISSED, CountArray, Outcomes
from wsi_edt.evaluation.statistics import FloatArray, ImageSums, Statistics

MOST_THRESHOLDS = 100
MOST_BINS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Metrics when only predictions with a score above a threshold count, for T thresholds.

    Attributes
    ----------
    radius_px : the largest distance of a match
    has_classes : whether anything beyond "all" and the counts of all cells means something
    thresholds : (T,) float64, ascending
    counts : (T, 3, 3) int64 class × (matched, false, missed), over all images
    statistics : (T,) and (T, 3)
    """

    radius_px: float
    has_classes: bool
    thresholds: FloatArray
    counts: CountArray
    statistics: Statistics

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that have metrics."""
        return CLASSES if self.has_classes else CLASSES[:1]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """How many predictions there are in bins of the score, and how many of them are cells.

    Attributes
    ----------
    edges : (B + 1,) float64, ascending; a bin holds scores above its lower edge, up to its upper one
    predicted : (3, B) int64 in the order of `CLASSES`, without the ignored ones
    matched : (3, B) int64
    """

    edges: FloatArray
    predicted: CountArray
    matched: CountArray

    def interval(self) -> tuple[FloatArray, FloatArray]:
        """Wilson's 95 % interval of the share that are cells: two (3, B); from 0 to 1 for an empty bin."""
        total = np.maximum(self.predicted, 1e-9)
        share, z2 = self.matched / total, 1.96**2
        middle = (share + z2 / (2 * total)) / (1 + z2 / total)
        half = np.sqrt(z2) / (1 + z2 / total) * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
        return np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)

    def to_json(self, classes: Sequence[str]) -> dict[str, object]:
        """The bins' edges, and the counts of these classes in them."""
        facts: dict[str, object] = {"edges": self.edges.tolist()}
        for name in classes:
            place = CLASSES.index(name)
            facts[name] = {
                "predicted": self.predicted[place].tolist(),
                "matched": self.matched[place].tolist(),
            }
        return facts


def sweep_thresholds(outcomes: Outcomes, *, most: int = MOST_THRESHOLDS) -> FloatArray | None:
    """At most `most` thresholds that span the scores, multiples of 1, 2 or 5 × 10ⁿ; None if all scores are equal.

    All predictions lie above the first one.
    """
    scores = np.concatenate([image[0].score for image in outcomes.by_image] or [np.zeros(0, np.float32)])
    if len(scores) == 0 or scores.min() == scores.max():
        return None
    low, high = float(scores.min()), float(scores.max())
    power = 10.0 ** np.floor(np.log10((high - low) / most))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if (high - low) / (factor * power) <= most - 2)
    # A thousandth: 0.18 as float32 is a hair more than 0.18, and yet not above that threshold; 0.9 a hair less.
    multiples = np.arange(np.ceil(low / step - 1e-3) - 1, np.floor(high / step + 1e-3) + 1)
    return np.asarray(np.round(multiples * step, 12), dtype=np.float64)


def sweep(outcomes: Outcomes, thresholds: FloatArray) -> Sweep:
    """The metrics at each threshold; cells are matched once for all of them."""
    counts = outcomes.counts(thresholds.tolist())
    return Sweep(
        outcomes.radius_px,
        outcomes.has_classes,
        thresholds,
        counts.sum(axis=1),
        ImageSums.of(counts).statistics(),
    )


def calibration(outcomes: Outcomes) -> Calibration | None:
    """Predictions in at most `MOST_BINS` bins of equal width; None if all scores are equal."""
    edges = sweep_thresholds(outcomes, most=MOST_BINS)
    if edges is None:
        return None
    edges = np.append(edges, 2 * edges[-1] - edges[-2])
    above = outcomes.counts(edges.tolist()).sum(axis=1)  # (B + 1, 3, 3)
    inside = (above[:-1] - above[1:]).transpose(1, 2, 0)  # class, outcome, bin
    return Calibration(edges, inside[:, MATCHED] + inside[:, FALSE], inside[:, MATCHED])


def sweep_csv(sweeps: Sequence[Sweep]) -> bytes:
    """The sweeps as CSV, a row per radius and threshold; empty where there is no value."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(_HEADER)
    for one in sweeps:
        for place, threshold in enumerate(one.thresholds.tolist()):
            writer.writerow([f"{one.radius_px:g}", f"{threshold:g}", *_figures(one, place)])
    return file.getvalue().encode()


_RATIOS = ("precision", "recall", "f1")
_COUNTS = {"matched": MATCHED, "false": FALSE, "missed": MISSED}
_INDEX = {
    "index_found_percent": "index_found",
    "index_true_percent": "index_true",
    "index_bias_points": "index_bias",
    "index_mean_absolute_error_points": "index_mae",
}
_HEADER = (
    "radius_px",
    "threshold",
    *(f"{name}_{figure}" for name in CLASSES for figure in (*_COUNTS, *_RATIOS)),
    *_INDEX,
)


def _figures(one: Sweep, place: int) -> list[str]:
    statistics = one.statistics.at(place)
    figures: list[str] = []
    for number, name in enumerate(CLASSES):
        if name in one.classes:
            figures += [str(one.counts[place, number, kind]) for kind in _COUNTS.values()]
            figures += [_text(getattr(statistics, ratio)[number]) for ratio in _RATIOS]
        else:
            figures += [""] * (len(_COUNTS) + len(_RATIOS))
    return figures + [_text(getattr(statistics, name)) if one.has_classes else "" for name in _INDEX.values()]


def _text(value: npt.ArrayLike) -> str:
    number = float(np.asarray(value))
    return f"{number:.5g}" if np.isfinite(number) else ""
