"""The index and its interval on an axis with the profile's cut-offs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from wsi_edt.ki67 import AreaResult
from wsi_edt.ki67.profiles import Profile
from wsi_edt.report.templating import figure

WIDTH = 640.0
_LEFT, _RIGHT = 12.0, 628.0
_UPPERS = (5.0, 10.0, 15.0, 25.0, 40.0, 60.0, 80.0, 100.0)
_ROOM = 1.15  # beyond the highest of what is shown
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Tick:
    """A value on the axis: where, and in words."""

    at: float
    label: str


def axis_upper(values: list[float]) -> float:
    """The end of an axis from 0 % that shows these values."""
    wanted = max(values, default=0.0) * _ROOM
    return next((upper for upper in _UPPERS if upper >= wanted), _UPPERS[-1])


def index_axis(area: AreaResult, profile: Profile) -> Markup:
    """The figure, for an area that has an index."""
    assert area.index_percent is not None
    interval = area.index_interval
    shown = [area.index_percent, *(interval or ()), *profile.cutoffs_percent]
    upper = axis_upper(shown)

    def at(percent: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * percent / upper

    cutoffs = [Tick(at(cutoff), f"{cutoff:g}") for cutoff in profile.cutoffs_percent]
    ticks = [Tick(at(upper * step / _TICKS), f"{upper * step / _TICKS:g}") for step in range(1, _TICKS)]
    edges = [_LEFT, *(cutoff.at for cutoff in cutoffs), _RIGHT]
    return figure(
        "figures/axis.svg",
        area=area,
        interval=interval,
        profile=profile,
        width=WIDTH,
        bands=list(pairwise(edges)),
        cutoffs=cutoffs,
        ticks=[] if cutoffs else ticks,
        ends=(Tick(_LEFT, "0"), Tick(_RIGHT, f"{upper:g} %")),
        value=at(area.index_percent),
        low=None if interval is None else at(interval[0]),
        high=None if interval is None else at(interval[1]),
        labelled=min(max(at(area.index_percent), _LEFT + 26), _RIGHT - 26),
    )
