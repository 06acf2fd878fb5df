"""The columns of the model card's tables: how well the cells of a set were found.

Read of each set what its labels allow: shidc and gepnet mark only some nuclei, so that only recall means something;
immunoratio's points are clicks that miss the centre by 1.3 µm: 6 µm is a radius beside the usual ones. The index drift is
how far the index moves over all thresholds whose F1 is within 3 points of the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wsi_edt.cells import Cells
from wsi_edt.evaluation import ImageMetrics
from wsi_edt.evaluation.metrics import image_metrics
from wsi_edt.evaluation.predictions import PredictedImage, prediction_outcomes
from wsi_edt.evaluation.selection import RADII_PX, THRESHOLDS, threshold_counts
from wsi_edt.evaluation.statistics import index_drift
from wsi_edt.maps import DecodeSettings

FAR_PX, NEAR_PX = RADII_PX
UM = 6.0  # a radius for clicks
COLUMNS = (
    f"F1 at {FAR_PX:g} px", f"{NEAR_PX:g} px", f"{UM:g} µm", "recall", "precision", "positive", "negative",
    "index error", "bias", "limits of agreement", "index drift",
)  # fmt: skip

Decoded = Sequence[tuple[PredictedImage, DecodeSettings]]  # images, each with how its maps become cells


def columns(decoded: Decoded, *, model_mpp: float, nuclei: bool = False) -> list[str]:
    """F1 at each radius, then what `COLUMNS` says at 10 px; empty where there is no class.

    Parameters
    ----------
    decoded : the set's images
    model_mpp : µm/px of their maps
    nuclei : whether the points have no class
    """
    at = {
        radius: _metrics(decoded, radius_px=radius, nuclei=nuclei)
        for radius in (FAR_PX, NEAR_PX, UM / model_mpp)
    }
    far = at[FAR_PX]
    return [
        *(f"{one.all.f1:.3f}" for one in at.values()),
        f"{far.all.recall:.3f}",
        f"{far.all.precision:.3f}",
        *(f"{one.f1:.3f}" if one else "" for one in (far.positive, far.negative)),
        *(_index(far, decoded) if far.has_index else ["", "", "", ""]),
    ]


def _metrics(decoded: Decoded, *, radius_px: float, nuclei: bool) -> ImageMetrics:
    pairs = [image.paired(settings) for image, settings in decoded]
    return image_metrics(prediction_outcomes(pairs, decoded[0][1], radius_px=radius_px, nuclei=nuclei))


def _index(far: ImageMetrics, decoded: Decoded) -> list[str]:
    statistics = far.statistics
    return [
        f"{float(statistics.index_mae):.1f}",
        f"{float(statistics.index_bias):+.1f}",
        f"{float(statistics.index_lower):+.1f} to {float(statistics.index_upper):+.1f}",
        f"{_drift(decoded):.1f}",
    ]


def _drift(decoded: Decoded) -> float:
    ways = {id(image): replace(settings, threshold=THRESHOLDS[0]) for image, settings in decoded}

    def found(image: PredictedImage) -> Cells:
        return image.predicted(ways[id(image)])

    table = threshold_counts([image for image, _ in decoded], found)
    return index_drift(table.statistics()[RADII_PX.index(FAR_PX)])
