"""Everything that can be said about a set of predictions: metrics at each radius, over the threshold, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsi_edt.evaluation.bootstrap import RESAMPLES
from wsi_edt.evaluation.metrics import ImageMetrics, image_metrics
from wsi_edt.evaluation.outcomes import CLASSES, CountArray, Outcomes
from wsi_edt.evaluation.pairs import ImagePair
from wsi_edt.evaluation.statistics import image_indices
from wsi_edt.evaluation.sweep import Calibration, Sweep, calibration, sweep, sweep_thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """What a set of images says about predictions.

    Attributes
    ----------
    radius_mpp : µm per px of the radii, if known
    threshold : only predictions with a score above it count in `metrics`; None: all count
    outcomes, metrics : one for each radius
    sweeps : one for each radius; none if all predictions have the same score
    calibration : at the first radius; None if all predictions have the same score
    """

    radius_mpp: float | None
    threshold: float | None
    outcomes: tuple[Outcomes, ...]
    metrics: tuple[ImageMetrics, ...]
    sweeps: tuple[Sweep, ...]
    calibration: Calibration | None

    def counts(self, place: int = 0) -> CountArray:
        """(N, 3, 3) image × class × (matched, false, missed) at the radius in that place."""
        counts: CountArray = self.outcomes[place].counts((_lowest(self.threshold),))[0]
        return counts

    def to_json(self) -> dict[str, object]:
        """The metrics and each image's counts at each radius, and the calibration at the first."""
        results = [
            {"radius_um": None if self.radius_mpp is None else metrics.radius_px * self.radius_mpp}
            | metrics.to_json()
            | {"per_image": self._per_image(place)}
            for place, metrics in enumerate(self.metrics)
        ]
        bins = None if self.calibration is None else self.calibration.to_json(tuple(self.metrics[0].by_class))
        return {
            "mpp": self.radius_mpp,
            "threshold": self.threshold,
            "results": results,
            "calibration": bins,
        }

    def _per_image(self, place: int) -> list[dict[str, object]]:
        outcomes, counts = self.outcomes[place], self.counts(place)
        true_index, difference = image_indices(counts)
        rows = []
        for number, (image, case) in enumerate(zip(outcomes.images, outcomes.cases, strict=True)):
            row: dict[str, object] = {"image": image, "case": case}
            for name in CLASSES if outcomes.has_classes else CLASSES[:1]:
                matched, false, missed = counts[number, CLASSES.index(name)].tolist()
                row[name] = {"matched": matched, "false": false, "missed": missed}
            if outcomes.has_classes and np.isfinite(true_index[number]):
                row["index_true_percent"] = float(true_index[number])
                row["index_error_points"] = float(difference[number])
            rows.append(row)
        return rows


def assess(
    pairs: Sequence[ImagePair],
    *,
    radii_px: Sequence[float],
    radius_mpp: float | None = None,
    threshold: float | None = None,
    resamples: int = RESAMPLES,
) -> Assessment:
    """Match predictions with the truth and measure how well they agree.

    Parameters
    ----------
    pairs : of each image, in px of one scale; predictions below `threshold` serve the sweep
    radii_px : the largest distances of a match; the calibration is at the first
    radius_mpp : µm per px of the radii, if known
    threshold : predictions with a score above it count; None: all count
    resamples : of the bootstrap that yields 95 % intervals; 0 yields none
    """
    outcomes = tuple(Outcomes.of(pairs, radius_px=radius_px) for radius_px in radii_px)
    thresholds = sweep_thresholds(outcomes[0])
    return Assessment(
        radius_mpp=radius_mpp,
        threshold=threshold,
        outcomes=outcomes,
        metrics=tuple(
            image_metrics(one, threshold=_lowest(threshold), resamples=resamples) for one in outcomes
        ),
        sweeps=() if thresholds is None else tuple(sweep(one, thresholds) for one in outcomes),
        calibration=calibration(outcomes[0]),
    )


def _lowest(threshold: float | None) -> float:
    return -np.inf if threshold is None else threshold
