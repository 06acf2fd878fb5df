"""Chooses how a model's maps become cells (gain, window, threshold) on held-out images, and measures the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from wsi_edt.bundles.bundle import MEDIAN_SCORE
from wsi_edt.cells import Cells
from wsi_edt.errors import UsageError
from wsi_edt.evaluation.outcomes import CLASSES, Outcomes
from wsi_edt.evaluation.pairs import ImagePair
from wsi_edt.evaluation.predictions import PredictedImage
from wsi_edt.evaluation.statistics import ImageSums, Statistics, index_drift
from wsi_edt.maps import METHODS, DecodeSettings, Evidence, evidence_of, method_named

WINDOWS_PX = METHODS["ccls"].windows_px
THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.04, 0.61, 0.01), 2))
SHARES = tuple(float(t) for t in np.round(np.arange(0.04, 0.91, 0.01), 2))  # of a map's maximum
RADII_PX = (10.0, 5.0)  # the paper's two matching radii, model px
F1_TOLERANCE = 0.005  # see `select`
GAINS = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8)  # of the negative map, that are compared


@dataclass(frozen=True, slots=True)
class Selection:
    """The settings that are best on the held-out images.

    Attributes
    ----------
    settings : what was chosen
    metrics : measured with them on the same images, by their names in model.toml; without classes there is no index
    """

    settings: DecodeSettings
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdCounts:
    """What one way from maps to cells finds in N images at each of T thresholds.

    Attributes
    ----------
    cases : (N,) the case of each image
    has_classes : whether there are classes, and so a Ki-67 index
    counts : (R, T, N, 3, 3) radius of `RADII_PX` × threshold × image × class × (matched, false, missed)
    """

    cases: tuple[str, ...]
    has_classes: bool
    counts: npt.NDArray[np.int64]

    def statistics(self, which: npt.NDArray[np.bool_] | None = None) -> tuple[Statistics, ...]:
        """For each radius the statistics (T,) over all images, or over some of them."""
        counts = self.counts if which is None else self.counts[:, :, which]
        return tuple(ImageSums.of(at_radius).statistics() for at_radius in counts)


def select(
    images: Sequence[PredictedImage],
    *,
    method: str = "ccls",
    evidence: Evidence | None = None,
    window_px: int | None = None,
    threshold: float | None = None,
    negative_gain: float | None = None,
) -> Selection:
    """The settings that find cells as well as any others, and among those the most cells.

    First the gain of the negative map is chosen, see `steadiest_gain`: the index then hardly hangs on the threshold. F1 (of
    all cells, the mean of that at 10 and at 5 px) is flat around its best threshold, so that images choose one by chance.
    Among all candidates whose F1 is within `F1_TOLERANCE` of the best, the one with the highest recall is taken: in another
    laboratory's stain a model misses more nuclei than it finds false ones, and a lower threshold misses fewer.

    Without classes, too, the best F1 counts, with the same tolerance. The metrics say what the settings reach on the images
    that chose them, and the median score of the cells that they find there; those "left out" say what remains when each
    case is tested with the settings that the others choose (but for the gain, which all choose).

    Parameters
    ----------
    images : with their maps
    method : how cells are found in a map, of `wsi_edt.maps.METHODS`
    evidence, window_px, threshold : if they are settled otherwise; None takes `evidence_of` these maps, and compares the
        windows of the method, and its publication's threshold or else `THRESHOLDS` (`SHARES` if it is relative)
    negative_gain : likewise; None compares `GAINS`

    Raises
    ------
    UsageError
        If there are no images, or `DecodeSettings` refuses: the maps don't have the evidence, for example.
    """
    if not images:
        raise UsageError(
            "there are no images to choose a model's settings on",
            remedy="name a validation set that has some",
        )
    names = images[0].map_names
    if negative_gain is None:
        negative_gain = steadiest_gain(images, method=method, evidence=evidence, window_px=window_px)
    lowest = compared(
        names,
        method=method,
        evidence=evidence,
        window_px=window_px,
        threshold=threshold,
        negative_gain=negative_gain,
    )
    settings, table = _candidates(images, lowest, thresholds_of(method, threshold))
    best = best_place(table)
    metrics = _metrics([one.at(best) for one in table.statistics()], has_classes=table.has_classes)
    return Selection(
        settings[best], metrics | _median_score(images, settings[best]) | _left_out_metrics(table)
    )


def steadiest_gain(
    images: Sequence[PredictedImage],
    *,
    method: str = "ccls",
    evidence: Evidence | None = None,
    window_px: int | None = None,
) -> float:
    """The gain of the negative map with which the Ki-67 index hangs least on the threshold; the lowest of equals.

    Maps of pale nuclei are lower than those of dark ones, so that a higher threshold, or a stain that lowers all scores,
    loses negative nuclei first and the index rises. How much lower they are depends on the training. `index_drift` measures
    it. The sum of the maps and the method's first window stand for what isn't given.

    Parameters
    ----------
    images : with their maps
    method, evidence, window_px : see `select`

    Returns
    -------
    One of `GAINS`; 1 without classes
    """
    names = images[0].map_names
    if "positive" not in names or evidence == "nucleus":
        return 1.0
    window_px = method_named(method).windows_px[0] if window_px is None else window_px
    thresholds = THRESHOLDS if not method_named(method).is_relative else SHARES
    first = DecodeSettings(names, evidence or evidence_of(names), window_px, thresholds[0], method)
    drifts = []
    for gain in GAINS:
        cells_of_image = partial(PredictedImage.predicted, settings=replace(first, negative_gain=gain))
        table = threshold_counts(images, cells_of_image, thresholds)
        if not table.has_classes:
            return 1.0
        drifts.append(index_drift(table.statistics()[0]))
    return GAINS[int(np.nanargmin(drifts))] if np.isfinite(drifts).any() else 1.0


def _median_score(images: Sequence[PredictedImage], settings: DecodeSettings) -> dict[str, float]:
    """The median score of the cells that are found; nothing without any."""
    scores = np.concatenate([image.predicted(settings).score for image in images])
    return {MEDIAN_SCORE: round(float(np.median(scores)), 4)} if len(scores) else {}


def compared(
    names: tuple[str, ...],
    *,
    method: str = "ccls",
    evidence: Evidence | None = None,
    window_px: int | None = None,
    threshold: float | None = None,
    negative_gain: float = 1.0,
) -> list[DecodeSettings]:
    """What `select` compares for maps of these names, each at the lowest of its thresholds; its errors are `select`'s."""
    own = evidence_of(names) if evidence is None else evidence
    windows_px = method_named(method).windows_px if window_px is None else (window_px,)
    lowest = thresholds_of(method, threshold)[0]
    return [
        DecodeSettings(names, own, px, lowest, method, 1.0 if own == "nucleus" else negative_gain)
        for px in windows_px
    ]


def thresholds_of(method: str, threshold: float | None = None) -> tuple[float, ...]:
    """The thresholds that are compared, ascending: only the one that is given or that the method has of its own."""
    own = method_named(method).threshold if threshold is None else threshold
    if own is not None:
        return (own,)
    return SHARES if method_named(method).is_relative else THRESHOLDS


def threshold_counts(
    images: Sequence[PredictedImage],
    cells_of_image: Callable[[PredictedImage], Cells],
    thresholds: Sequence[float] = THRESHOLDS,
) -> ThresholdCounts:
    """What a way from maps to cells finds at each of the thresholds.

    Parameters
    ----------
    images : with their maps
    cells_of_image : the way, at the lowest of the thresholds. A threshold is a filter on what is found at a lower one
        (whether a pixel is the maximum of its window doesn't depend on it), so decoding and matching once is enough for
        all
    thresholds : ascending
    """
    pairs = [ImagePair(image.name, image.case, cells_of_image(image), image.truth) for image in images]
    outcomes = [Outcomes.of(pairs, radius_px=radius_px) for radius_px in RADII_PX]
    return ThresholdCounts(
        outcomes[0].cases,
        outcomes[0].has_classes,
        np.stack([one.counts(thresholds) for one in outcomes]),
    )


def best_place(table: ThresholdCounts, which: npt.NDArray[np.bool_] | None = None) -> int:
    """The place of the candidate to choose on the images `which`, see `select`; the first of equals."""
    statistics = table.statistics(which)
    f1 = np.mean([one.f1[:, 0] for one in statistics], axis=0)
    return int(np.argmax(np.where(f1 >= f1.max() - F1_TOLERANCE, statistics[0].recall[:, 0], -1.0)))


def _candidates(
    images: Sequence[PredictedImage], lowest: Sequence[DecodeSettings], thresholds: Sequence[float]
) -> tuple[list[DecodeSettings], ThresholdCounts]:
    """These settings at each of the thresholds, and what each finds: a place on the threshold axis for each."""
    settings: list[DecodeSettings] = []
    tables: list[ThresholdCounts] = []
    for one in lowest:
        cells_of_image = partial(PredictedImage.predicted, settings=one)
        tables.append(threshold_counts(images, cells_of_image, thresholds))
        settings += [replace(one, threshold=threshold) for threshold in thresholds]
    counts = np.concatenate([table.counts for table in tables], axis=1)
    return settings, replace(tables[0], counts=counts)


def _metrics(statistics: Sequence[Statistics], *, has_classes: bool) -> dict[str, float]:
    """The figures for a model's description, from one candidate's statistics at each of `RADII_PX`."""
    first = statistics[0]
    metrics: dict[str, float] = {}
    for radius_px, one in zip(RADII_PX, statistics, strict=True):
        metrics[f"f1_{radius_px:.0f}px"] = float(one.f1[0])
        if has_classes:
            metrics |= {
                f"f1_{radius_px:.0f}px_{name}": float(one.f1[CLASSES.index(name)]) for name in CLASSES[1:]
            }
    metrics["count_mae"] = float(first.count_mae[0])
    if has_classes and np.isfinite(first.index_mae):
        metrics["index_error_points"] = float(first.index_mae)
        metrics["index_bias_points"] = float(first.index_bias)
        metrics["index_pooled_bias_points"] = float(first.index_pooled_bias)
    return {name: round(value, 4) for name, value in metrics.items() if np.isfinite(value)}


def _left_out_metrics(table: ThresholdCounts) -> dict[str, float]:
    """F1 and index error when each case is tested with the settings that the others choose.

    Nothing for a single case, or if there was nothing to choose.
    """
    cases = np.array(table.cases)
    if len(np.unique(cases)) < 2 or table.counts.shape[1] == 1:
        return {}
    counts = np.empty_like(table.counts[:, 0])  # (R, N, 3, 3)
    for case in np.unique(cases):
        held = cases == case
        counts[:, held] = table.counts[:, best_place(table, ~held)][:, held]
    statistics = [ImageSums.of(at_radius).statistics() for at_radius in counts]
    metrics = _metrics(statistics, has_classes=table.has_classes)
    return {
        f"{name}_left_out": metrics[name]
        for name in ("f1_10px", "f1_5px", "index_error_points")
        if name in metrics
    }
