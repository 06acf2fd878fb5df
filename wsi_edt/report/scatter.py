"""The batch's plot: each slide's index against how many cells it rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wsi_edt.report.rows import SummaryRow

WIDTH, HEIGHT = 1120.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, 1056.0, 12.0, 276.0
_STEPS = {
    5.0: 5,
    10.0: 5,
    20.0: 4,
    40.0: 4,
    60.0: 6,
    80.0: 4,
    100.0: 5,
}  # by where the axis of the index ends


@dataclass(frozen=True, slots=True)
class Point:
    """A slide on the plot: its centre, and the ends of its interval's bar, None without one."""

    row: SummaryRow
    x: float
    y: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A value on an axis: where, and which."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Scatter:
    """The plot in its own units, y downwards.

    Attributes
    ----------
    upper : the end of the axis of the index, %
    across, up : the ticks of the axes, cells and %
    cutoffs : of the profile, on the axis of the index
    few : the count below which an index is flagged; None if it lies outside of the plot
    """

    points: Sequence[Point]
    upper: float
    across: Sequence[Tick]
    up: Sequence[Tick]
    cutoffs: Sequence[Tick]
    few: Tick | None
    width: float = WIDTH
    height: float = HEIGHT
    left: float = _LEFT
    right: float = _RIGHT
    top: float = _TOP
    bottom: float = _BOTTOM


def scatter_of(
    rows: Sequence[SummaryRow], *, cutoffs_percent: Sequence[float], least_cells: int
) -> Scatter | None:
    """The plot of the rows that have an index; None if none has."""
    counted = [(row, row.index_percent, row.total) for row in rows]
    found = [(row, index, total) for row, index, total in counted if index is not None and total]
    if not found:
        return None
    upper = axis_upper([row for row, _, _ in found], cutoffs_percent)
    first, last = _count_ends([total for _, _, total in found])

    def across(count: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * math.log(count / first) / math.log(last / first)

    def up(percent: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * percent / upper

    points, steps = [], _STEPS[upper]
    # Those that need a look are drawn last, and lie on top.
    for row, index, total in sorted(found, key=lambda one: (one[0].needs_a_look, -one[2])):
        interval = None if row.whole is None else row.whole.index_interval
        low, high = (None, None) if interval is None else (up(interval[0]), up(interval[1]))
        points.append(Point(row, across(total), up(index), low, high))
    return Scatter(
        points,
        upper,
        across=[Tick(across(count), count) for count in _count_ticks(first, last)],
        up=[Tick(up(upper * step / steps), upper * step / steps) for step in range(steps + 1)],
        cutoffs=[Tick(up(cutoff), cutoff) for cutoff in cutoffs_percent if cutoff <= upper],
        few=Tick(across(least_cells), least_cells) if first < least_cells < last else None,
    )


_ROOM = 1.15  # beyond the lowest and the highest count: points on the frame are hard to see
_LEAST_SPAN = 2.0  # of the axis of counts: where all counts are equal
_FEWEST_TICKS, _MOST_TICKS = 3, 12


def _count_ends(totals: Sequence[int]) -> tuple[float, float]:
    """The ends of the axis of counts, which shows these with some room, and is logarithmic."""
    low, high = min(totals) / _ROOM, max(totals) * _ROOM
    wider = max(math.sqrt(_LEAST_SPAN * low / high), 1.0)
    return low / wider, high * wider


def _count_ticks(first: float, last: float) -> list[int]:
    """Round counts between both: by 1, 2 and 5, by powers of ten where those are many, closer where they are few."""
    ticks = _round_counts(first, last, (10, 20, 50))
    if len(ticks) > _MOST_TICKS:
        return _round_counts(first, last, (10,))
    if len(ticks) < _FEWEST_TICKS:
        return _round_counts(first, last, (10, 15, 20, 30, 40, 50, 60, 70, 80, 90))
    return ticks


def _round_counts(first: float, last: float, steps: Sequence[int]) -> list[int]:
    powers = range(math.floor(math.log10(last)) + 1)
    found = [step * 10**power / 10 for power in powers for step in steps]
    return [int(count) for count in found if first <= count <= last and count.is_integer()]


def axis_upper(rows: Sequence[SummaryRow], cutoffs_percent: Sequence[float]) -> float:
    """The end of an axis of the index that shows these rows with their intervals, and the cut-offs."""
    shown = [row.index_percent or 0 for row in rows] + list(cutoffs_percent)
    for row in rows:
        if row.whole is not None and row.whole.index_interval is not None:
            shown.append(row.whole.index_interval[1])
    return next((upper for upper in _STEPS if upper >= max(shown, default=0)), max(_STEPS))
