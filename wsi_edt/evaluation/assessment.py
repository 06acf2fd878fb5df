"""Everything that can be said of a set of predictions: scores at each radius, over the threshold, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsi_edt.evaluation.bootstrap import RESAMPLES
from wsi_edt.evaluation.metrics import ImageScores, score_outcomes
from wsi_edt.evaluation.outcomes import CLASSES, CountArray, Outcomes
from wsi_edt.evaluation.pairs import ImagePair
from wsi_edt.evaluation.statistics import image_indices
from wsi_edt.evaluation.sweep import Calibration, Sweep, calibration, sweep, sweep_thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """What a set of images says of predictions.

    Attributes
    ----------
    mpp : µm per px of the radii, where known
    threshold : only predictions with a score above it count in `scores`; None: all do
    outcomes, scores : one for each radius
    sweeps : one for each radius; none where all scores are equal
    calibration : at the first radius; None where all scores are equal
    """

    mpp: float | None
    threshold: float | None
    outcomes: tuple[Outcomes, ...]
    scores: tuple[ImageScores, ...]
    sweeps: tuple[Sweep, ...]
    calibration: Calibration | None

    def counts(self, place: int = 0) -> CountArray:
        """(N, 3, 3) image × class × (matched, false, missed) at the radius in that place."""
        counts: CountArray = self.outcomes[place].counts((_lowest(self.threshold),))[0]
        return counts

    def to_json(self) -> dict[str, object]:
        """The scores of each radius, the counts of each image at it, and the calibration at the first."""
        results = [
            {"radius_um": None if self.mpp is None else scores.radius_px * self.mpp}
            | scores.to_json()
            | {"per_image": self._per_image(place)}
            for place, scores in enumerate(self.scores)
        ]
        bins = None if self.calibration is None else self.calibration.to_json(tuple(self.scores[0].by_class))
        return {"mpp": self.mpp, "threshold": self.threshold, "results": results, "calibration": bins}

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
    mpp: float | None = None,
    threshold: float | None = None,
    resamples: int = RESAMPLES,
) -> Assessment:
    """Match predictions with the truth and score them.

    Parameters
    ----------
    pairs : of each image, in px of one scale; predictions below `threshold` serve the sweep
    radii_px : the largest distances of a match; the first is that of the calibration
    mpp : µm per px, where known
    threshold : of the scores that count; None: all predictions do
    resamples : of the bootstrap that gives 95 % intervals; 0 gives none
    """
    outcomes = tuple(Outcomes.of(pairs, radius_px=radius_px) for radius_px in radii_px)
    thresholds = sweep_thresholds(outcomes[0])
    return Assessment(
        mpp=mpp,
        threshold=threshold,
        outcomes=outcomes,
        scores=tuple(
            score_outcomes(one, threshold=_lowest(threshold), resamples=resamples) for one in outcomes
        ),
        sweeps=() if thresholds is None else tuple(sweep(one, thresholds) for one in outcomes),
        calibration=calibration(outcomes[0]),
    )


def _lowest(threshold: float | None) -> float:
    return -np.inf if threshold is None else threshold
