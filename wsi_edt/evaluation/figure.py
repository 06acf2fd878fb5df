"""An assessment as a figure: intervals, thresholds, calibration, counts, Ki-67 indices. Drawing imports matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wsi_edt.errors import UsageError
from wsi_edt.evaluation.assessment import Assessment
from wsi_edt.evaluation.metrics import ImageMetrics
from wsi_edt.evaluation.outcomes import CLASSES, FALSE, MATCHED, MISSED
from wsi_edt.evaluation.statistics import image_indices
from wsi_edt.evaluation.sweep import Sweep
from wsi_edt.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE_SUFFIXES = (".svg", ".png", ".pdf")

# Okabe and Ito's colours, which colour-blind readers tell apart too.
_CLASS_COLOURS = {"all": "#333333", "positive": "#d55e00", "negative": "#0072b2"}
_PRECISION, _RECALL, _F1 = "#e69f00", "#56b4e9", "#009e73"
_GUIDE = "#999999"
_FOUND_ENOUGH = 0.25  # the share of cells below which an index over the threshold says too little
_COLUMNS = 3
_PANEL_INCHES = (4.0, 3.1)
_STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "svg.hashsalt": "wsi-edt",  # the same assessment makes the same file
}

Panel = Callable[["Axes"], None]


def check_figure_path(path: Path) -> None:
    """UsageError unless the suffix is one of `FIGURE_SUFFIXES`."""
    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise UsageError(
            "isn't a figure's name", where=path, remedy=f"end it in {', '.join(FIGURE_SUFFIXES)}"
        )


def write_figure(path: Path, assessment: Assessment, *, title: str) -> None:
    """Draw the assessment and write it atomically; the suffix decides the format.

    Raises
    ------
    UsageError
        If the suffix isn't one of `FIGURE_SUFFIXES`.
    OutputError
        If the file can't be written.
    """
    if assessment.threshold is not None:
        title += f" (score above {assessment.threshold:g})"
    write_panels(path, _panels(assessment), title=title)


def write_panels(path: Path, panels: Sequence[Panel], *, title: str, columns: int = _COLUMNS) -> None:
    """Draw panels row by row and write the figure atomically.

    Parameters
    ----------
    path : with one of `FIGURE_SUFFIXES`
    panels : each draws into the axes it is passed
    title : of the figure
    columns : how many panels stand side by side
    """
    check_figure_path(path)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        columns = min(columns, len(panels))
        rows = -(-len(panels) // columns)
        width, height = _PANEL_INCHES
        figure = Figure(figsize=(columns * width, rows * height + 0.4), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, fontsize=10.5)
        for number, panel in enumerate(panels):
            panel(figure.add_subplot(rows, columns, number + 1))
        content = io.BytesIO()
        suffix = path.suffix.lower()[1:]
        undated: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix, {})
        figure.savefig(content, format=suffix, dpi=150, metadata=undated)
    write_atomically(path, content.getvalue())


def _panels(assessment: Assessment) -> list[Panel]:
    """What can be drawn of an assessment, in reading order."""
    panels: list[Panel] = [partial(_draw_metrics, assessment.metrics)]
    if assessment.calibration is not None:
        panels.append(partial(_draw_calibration, assessment))
    panels.append(partial(_draw_counts, assessment))
    if assessment.sweeps:
        panels += [partial(_draw_sweep, assessment, name) for name in assessment.sweeps[0].classes]
    if assessment.metrics[0].has_index:
        panels.append(partial(_draw_agreement, assessment))
        if assessment.sweeps:
            panels += [partial(_draw_index, assessment), partial(_draw_index_errors, assessment)]
    return panels


def _draw_metrics(metrics: Sequence[ImageMetrics], axes: Axes) -> None:
    """F1, precision and recall of each class at each radius, with their intervals."""
    names = list(metrics[0].by_class)
    markers = {"f1": "o", "precision": "^", "recall": "s"}
    labels = []
    for row, (one, name) in enumerate((one, name) for one in metrics for name in names):
        place = CLASSES.index(name)
        labels.append(f"{name}, {one.radius_px:g} px")
        for offset, (figure, marker) in zip((-0.22, 0.0, 0.22), markers.items(), strict=True):
            value = float(getattr(one.statistics, figure)[place])
            axes.plot(value, row + offset, marker, color=_CLASS_COLOURS[name], markersize=4)
            if one.intervals is not None:
                ends = [float(getattr(end, figure)[place]) for end in (one.intervals.low, one.intervals.high)]
                axes.plot(ends, [row + offset] * 2, color=_CLASS_COLOURS[name], linewidth=1)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlim(right=1.0)
    for figure, marker in markers.items():
        axes.plot([], [], marker, color=_GUIDE, markersize=4, label="F1" if figure == "f1" else figure)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)
    axes.set_title("Metrics" if metrics[0].intervals is None else "Metrics, 95 % intervals")


def _draw_calibration(assessment: Assessment, axes: Axes) -> None:
    """The share of predictions that are cells in bins of the score, over how many there are."""
    found = assessment.calibration
    assert found is not None
    middles = (found.edges[:-1] + found.edges[1:]) / 2
    counts = axes.twinx()
    counts.bar(middles, found.predicted[0], width=np.diff(found.edges) * 0.92, color="#e8e8e8", zorder=0)
    counts.set_ylabel("predictions", color=_GUIDE)
    counts.tick_params(colors=_GUIDE)
    counts.grid(visible=False)
    counts.spines["right"].set_visible(False)
    counts.set_ylim(top=max(found.predicted[0].max() * 2.2, 1))
    axes.set_zorder(counts.get_zorder() + 1)
    axes.patch.set_visible(False)
    low, high = found.interval()
    for name in assessment.metrics[0].by_class:
        place = CLASSES.index(name)
        some = found.predicted[place] > 0
        x, share = middles[some], found.matched[place][some] / found.predicted[place][some]
        colour = _CLASS_COLOURS[name]
        axes.plot(x, share, "o-", color=colour, markersize=3, linewidth=1.2, label=name)
        if name == "all":
            axes.fill_between(x, low[place][some], high[place][some], color=colour, alpha=0.13, linewidth=0)
    _mark_threshold(assessment, axes)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("score")
    axes.set_ylabel("share that are cells")
    axes.legend(loc="upper left")
    axes.set_title(f"Calibration, {assessment.metrics[0].radius_px:g} px")


def _draw_counts(assessment: Assessment, axes: Axes) -> None:
    """Predicted against true cells of each image."""
    counts = assessment.counts()
    true, error = counts[..., MATCHED] + counts[..., MISSED], counts[..., FALSE] - counts[..., MISSED]
    most = max(int((true + error).max(initial=0)), int(true.max(initial=0)), 1) * 1.05
    axes.plot([0, most], [0, most], color=_GUIDE, linewidth=0.8)
    for name in assessment.metrics[0].by_class:
        place = CLASSES.index(name)
        axes.plot(
            true[:, place],
            (true + error)[:, place],
            "o",
            color=_CLASS_COLOURS[name],
            markersize=3.5,
            alpha=0.75,
            label=name,
        )
    axes.set_xlabel("annotated cells of an image")
    axes.set_ylabel("found")
    axes.legend(loc="upper left")
    axes.set_title("Counts")


def _draw_sweep(assessment: Assessment, name: str, axes: Axes) -> None:
    """Precision, recall and F1 of one class over the threshold."""
    place = CLASSES.index(name)
    first = assessment.sweeps[0]
    for figure, colour in (("precision", _PRECISION), ("recall", _RECALL), ("f1", _F1)):
        values = getattr(first.statistics, figure)[:, place]
        some = first.counts[:, place, [MATCHED, FALSE]].any(
            axis=1
        )  # without predictions there is no precision
        label = f"{'F1' if figure == 'f1' else figure}, {first.radius_px:g} px"
        axes.plot(first.thresholds[some], values[some], color=colour, linewidth=1.4, label=label)
    for other in assessment.sweeps[1:]:
        label = f"F1, {other.radius_px:g} px"
        axes.plot(
            other.thresholds, other.statistics.f1[:, place], "--", color=_F1, linewidth=1.2, label=label
        )
    _mark_threshold(assessment, axes)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("score threshold")
    axes.legend(loc="lower left")
    axes.set_title(f"{name.capitalize()}{' cells' if name == 'all' else ''} over the threshold")


def _draw_agreement(assessment: Assessment, axes: Axes) -> None:
    """Bland and Altman: the difference of the index over the mean of both, with bias and limits of agreement."""
    true, difference = image_indices(assessment.counts())
    some = np.isfinite(true)
    found = assessment.metrics[0].statistics
    axes.plot(
        true[some] + difference[some] / 2, difference[some], "o", color=_CLASS_COLOURS["all"], markersize=3.5
    )
    lines = {"bias": float(found.index_bias)}
    if np.isfinite(found.index_sd):
        lines |= {"upper limit": float(found.index_upper), "lower limit": float(found.index_lower)}
    axes.axhline(0, color=_GUIDE, linewidth=0.8)
    for name, height in lines.items():
        axes.axhline(
            height, linestyle="-" if name == "bias" else "--", color=_CLASS_COLOURS["positive"], linewidth=1
        )
        axes.annotate(
            f"{name} {height:+.1f}",
            (1.0, height),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=7.5,
            color=_CLASS_COLOURS["positive"],
        )
    axes.margins(y=0.15)
    axes.set_xlabel("mean of found and true index, %")
    axes.set_ylabel("found − true, points")
    axes.set_title("Ki-67 index of each image")


def _draw_index(assessment: Assessment, axes: Axes) -> None:
    """The index of all cells together over the threshold."""
    swept = _with_enough_cells(assessment.sweeps[0])
    axes.plot(swept.thresholds, swept.statistics.index_found, color=_CLASS_COLOURS["all"], label="found")
    true = float(assessment.metrics[0].statistics.index_true)
    axes.axhline(true, color=_CLASS_COLOURS["positive"], linewidth=1, label=f"true, {true:.1f} %")
    _mark_threshold(assessment, axes)
    axes.set_xlabel("score threshold")
    axes.set_ylabel("Ki-67 index of all cells, %")
    axes.legend(loc="best")
    axes.set_title("Ki-67 index over the threshold")


def _draw_index_errors(assessment: Assessment, axes: Axes) -> None:
    """The index errors of the images over the threshold."""
    swept = _with_enough_cells(assessment.sweeps[0])
    lines = {"mean absolute error": swept.statistics.index_mae, "bias": swept.statistics.index_bias}
    axes.axhline(0, color=_GUIDE, linewidth=0.8)
    for (name, values), colour in zip(lines.items(), ("all", "negative"), strict=True):
        axes.plot(swept.thresholds, values, color=_CLASS_COLOURS[colour], label=name)
    _mark_threshold(assessment, axes)
    axes.set_xlabel("score threshold")
    axes.set_ylabel("points")
    axes.legend(loc="best")
    axes.set_title("Index error over the threshold")


def _with_enough_cells(swept: Sweep) -> Sweep:
    """The thresholds at which enough cells are found for an index to mean something; at least the first."""
    found = swept.counts[:, 0, MATCHED] + swept.counts[:, 0, FALSE]
    enough = found >= _FOUND_ENOUGH * (swept.counts[0, 0, MATCHED] + swept.counts[0, 0, MISSED])
    enough[0] = True
    return replace(
        swept,
        thresholds=swept.thresholds[enough],
        counts=swept.counts[enough],
        statistics=swept.statistics.at(enough),
    )


def _mark_threshold(assessment: Assessment, axes: Axes) -> None:
    """A line at the threshold of the metrics, if there is one."""
    if assessment.threshold is not None:
        axes.axvline(assessment.threshold, color=_GUIDE, linewidth=0.9, linestyle=":")
