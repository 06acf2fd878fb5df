"""Metrics as lines of text."""

from __future__ import annotations

from wsi_edt.evaluation.bootstrap import FEWEST_CASES, Intervals
from wsi_edt.evaluation.metrics import DetectionMetrics, ImageMetrics
from wsi_edt.evaluation.outcomes import CLASSES

_HEADER = f"{'':10}{'cells':>8}{'found':>8}{'matched':>9}{'precision':>13}{'recall':>13}{'F1':>13}{'MAE':>13}{'RMSE':>13}"
_COLUMNS = {"precision": 3, "recall": 3, "f1": 3, "count_mae": 1, "count_rmse": 1}  # and their decimals


def metrics_table(metrics: ImageMetrics, *, radius_mpp: float | None) -> str:
    """One radius's metrics as aligned lines, under each row its 95 % intervals if there are any.

    Parameters
    ----------
    metrics : of a set of images
    radius_mpp : µm per px of the radius, if known
    """
    # A hair more: 3.125 is printed as 3.13, not rounded to the even 3.12.
    in_um = "" if radius_mpp is None else f" = {metrics.radius_px * radius_mpp + 1e-9:.2f} µm"
    lines = [
        f"{_counted(metrics.images, 'image')}, matched within {metrics.radius_px:g} px{in_um}",
        _HEADER,
    ]
    for name, one in metrics.by_class.items():
        lines.append(_row(metrics, name, one))
        if metrics.intervals is not None:
            lines.append(_interval_row(metrics.intervals, name))
    if metrics.has_index:
        lines += _index_lines(metrics)
    return "\n".join(lines)


def interval_note(metrics: ImageMetrics, *, cases: int) -> str:
    """One sentence on what the intervals are, or why there are none though they were asked for."""
    if metrics.intervals is None:
        return f"No 95 % intervals: {_counted(cases, 'case')}, and fewer than {FEWEST_CASES} say too little about others."
    return (
        f"Below each row: 95 % intervals, percentiles over {metrics.intervals.resamples} resamples of the "
        f"{_counted(metrics.intervals.cases, 'case')}."
    )


def _row(metrics: ImageMetrics, name: str, one: DetectionMetrics) -> str:
    figures = (getattr(metrics.statistics, column)[CLASSES.index(name)] for column in _COLUMNS)
    ratios = "".join(
        f"{figure:>13.{digits}f}" for figure, digits in zip(figures, _COLUMNS.values(), strict=True)
    )
    return f"{name:10}{one.truth:>8}{one.predicted:>8}{one.true_positives:>9}{ratios}"


def _interval_row(intervals: Intervals, name: str) -> str:
    place = CLASSES.index(name)
    cells = []
    for column, digits in _COLUMNS.items():
        low, high = (getattr(end, column)[place] for end in (intervals.low, intervals.high))
        cells.append(f"{f'{low:.{digits}f}–{high:.{digits}f}':>13}")
    return f"{'':35}{''.join(cells)}"


def _index_lines(metrics: ImageMetrics) -> list[str]:
    """The errors of the Ki-67 index, in percentage points."""
    found = metrics.statistics

    def interval(name: str) -> str:
        if metrics.intervals is None:
            return ""
        low, high = (float(getattr(end, name)) for end in (metrics.intervals.low, metrics.intervals.high))
        return f" ({low:+.1f} to {high:+.1f})" if name == "index_bias" else f" ({low:.1f} to {high:.1f})"

    lines = [
        f"Ki-67 index per image: mean absolute error {float(found.index_mae):.2f} points{interval('index_mae')}, "
        f"bias {float(found.index_bias):+.2f}{interval('index_bias')}"
    ]
    if found.index_sd == found.index_sd:  # not NaN: there are at least two images with cells
        lines[0] += (
            f", 95 % limits of agreement {float(found.index_lower):+.1f} to {float(found.index_upper):+.1f}"
        )
    pooled = "none" if found.index_found != found.index_found else f"{float(found.index_found):.1f} %"
    lines.append(f"Ki-67 index of all cells together: found {pooled}, true {float(found.index_true):.1f} %")
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
