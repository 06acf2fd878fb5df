"""Curves of a table's figures over a quantity that its rows differ in: means over the seeds, with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from recipe import Result

from wsi_edt.evaluation.figure import write_panels

FIGURES = {"F1 10": "F1 at 10 px, %", "F1 5": "F1 at 5 px, %"}


def draw(
    path: Path, results: Sequence[Result], panels: Mapping[str, Mapping[str, float]], *, title: str
) -> None:
    """Write a picture with a panel for each quantity.

    Parameters
    ----------
    path : .svg, .png or .pdf
    results : of the table's rows
    panels : what lies on the x-axis, with its value for some of the rows by their labels
    title : above all panels
    """
    drawn = [partial(_draw, results, name, places) for name, places in panels.items()]
    write_panels(path, drawn, title=title, columns=len(drawn))


def points_of(
    results: Sequence[Result], places: Mapping[str, float], figure: str
) -> list[tuple[float, float, float]]:
    """(x, mean, standard deviation) of a figure, by ascending x; one seed has no spread."""
    found = []
    for result in results:
        if result.row.label in places and result.tallies:
            values = [one.figure(figure) for one in result.tallies]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            found.append((places[result.row.label], statistics.fmean(values), spread))
    return sorted(found)


def _draw(results: Sequence[Result], name: str, places: Mapping[str, float], axes: Axes) -> None:
    for figure, words in FIGURES.items():
        points = points_of(results, places, figure)
        if points:
            x, means, spreads = zip(*points, strict=True)
            axes.errorbar(x, means, yerr=spreads, marker="o", capsize=3, label=words)
    axes.set_title(f"F1 over {name}")
    axes.set_xlabel(name)
    axes.legend()
