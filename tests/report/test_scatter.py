"""Where the points of the batch's plot lie."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.ki67.made import result
from wsi_edt.report.rows import SummaryRow
from wsi_edt.report.scatter import Scatter, scatter_of


def row(positive: int, negative: int, *, interval: tuple[float, float] | None = None) -> SummaryRow:
    found = result(positive, negative)
    low, high = interval or (None, None)
    values = {**found.whole.values, "index_low_percent": low, "index_high_percent": high}
    return SummaryRow.from_result(replace(found, areas=(replace(found.whole, values=values),)), seconds=None)


def plot(*rows: SummaryRow, cutoffs: tuple[float, ...] = ()) -> Scatter:
    found = scatter_of(rows, cutoffs_percent=cutoffs, least_cells=500)
    assert found is not None
    return found


def test_points_lie_on_a_logarithmic_and_a_linear_axis() -> None:
    """Of 100, 1,000 and 10,000 cells the middle one lies in the middle; 10 % lies half way up to 20."""
    found = plot(row(10, 90), row(100, 900), row(2000, 8000, interval=(19.0, 20.0)))
    assert [tick.value for tick in found.across] == [100, 1000, 10_000]
    assert found.upper == 20
    assert [point.x for point in found.points] == pytest.approx(
        [found.left, (found.left + found.right) / 2, found.right]
    )
    middle = (found.top + found.bottom) / 2
    assert [point.y for point in found.points] == pytest.approx([middle, middle, found.top])
    last = found.points[2]
    assert last.low == pytest.approx(found.bottom - 0.95 * (found.bottom - found.top))
    assert last.high == pytest.approx(found.top)
    assert found.points[0].low is found.points[0].high is None
    assert found.few is not None
    assert found.left < found.few.at < (found.left + found.right) / 2


def test_the_axis_shows_intervals_and_cut_offs() -> None:
    assert plot(row(1, 99), cutoffs=(5.0, 30.0)).upper == 40
    assert [tick.value for tick in plot(row(1, 99), cutoffs=(5.0, 30.0)).cutoffs] == [5.0, 30.0]
    assert plot(row(19, 81, interval=(12.0, 41.0))).upper == 60


def test_equal_counts_still_have_an_axis() -> None:
    found = plot(row(1, 999), row(2, 998))
    assert [tick.value for tick in found.across] == [1000, 10_000]
    assert found.few is None, "500 lies outside"


def test_without_any_index_there_is_no_plot() -> None:
    rows = [
        SummaryRow.failed("a", "empty", model="m"),
        SummaryRow.from_result(result(mm2=0.0), seconds=None),
    ]
    assert scatter_of(rows, cutoffs_percent=(), least_cells=500) is None
