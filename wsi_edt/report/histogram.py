"""The optical density of DAB in the cells of each class, with the cut-offs of 1+, 2+ and 3+."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from wsi_edt.cells import CellClass, Cells
from wsi_edt.report.scales import round_up, ticks
from wsi_edt.report.templating import figure

WIDTH, HEIGHT = 520.0, 150.0
_BINS = 60
_HIGHEST = 99.8  # percentile of the densities that the axis reaches; what lies above is in the last bin


@dataclass(frozen=True, slots=True)
class Line:
    """A class on the histogram: its outline as an SVG path."""

    name: str
    path: str


def density_histogram(cells: Cells, cutoffs: tuple[float, float, float]) -> Markup | None:
    """The figure; None if no density was measured, or no cell has a class."""
    if cells.dab_od is None:
        return None
    known = np.isfinite(cells.dab_od)
    by_class = {
        "negative": cells.dab_od[known & (cells.class_id == CellClass.NEGATIVE)],
        "positive": cells.dab_od[known & (cells.class_id == CellClass.POSITIVE)],
    }
    measured = np.concatenate(list(by_class.values()))
    if not len(measured):
        return None
    upper = round_up(max(float(np.percentile(measured, _HIGHEST)), 1.15 * cutoffs[-1]))
    counts = {name: _counted(values, upper) for name, values in by_class.items()}

    def at(density: float) -> float:
        return WIDTH * density / upper

    return figure(
        "figures/histogram.svg",
        width=WIDTH,
        height=HEIGHT,
        lines=[Line(name, _outline(counts[name])) for name in ("positive", "negative")],
        cutoffs=[(at(cutoff), f"{number}+") for number, cutoff in enumerate(cutoffs, start=1)],
        ticks=[(at(value), f"{value:g}") for value in ticks(upper)],
        medians={name: float(np.median(values)) for name, values in by_class.items() if len(values)},
    )


def _counted(values: npt.NDArray[np.float32], upper: float) -> npt.NDArray[np.int64]:
    """How many values lie in each bin from 0 to `upper`; those beyond it are in the first and the last."""
    place = np.clip(values * (_BINS / upper), 0, _BINS - 1).astype(np.int64)
    return np.bincount(place, minlength=_BINS)


def _outline(counts: npt.NDArray[np.int64]) -> str:
    """The outline of the bars, the highest of them as high as the figure."""
    step = WIDTH / _BINS
    tops = (HEIGHT * (1 - counts / max(int(counts.max()), 1))).tolist()
    return f"M0 {HEIGHT:.1f}" + "".join(f"V{top:.1f}h{step:.2f}" for top in tops) + f"V{HEIGHT:.1f}z"
