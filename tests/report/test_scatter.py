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
    assert [tick.value for tick in found.across] == [100, 200, 500, 1000, 2000, 5000, 10_000]
    assert found.upper == 20
    width = found.right - found.left
    points = {point.row.total: point for point in found.points}
    assert points[1000].x == pytest.approx(found.left + width / 2)
    assert points[100].x - found.left == pytest.approx(found.right - points[10_000].x)
    assert points[100].x == pytest.approx(found.left + width * 0.060698 / (2 + 2 * 0.060698), abs=0.1), (
        "log 1.15"
    )
    middle = (found.top + found.bottom) / 2
    assert [points[total].y for total in (100, 1000, 10_000)] == pytest.approx([middle, middle, found.top])
    last = points[10_000]
    assert last.low == pytest.approx(found.bottom - 0.95 * (found.bottom - found.top))
    assert last.high == pytest.approx(found.top)
    assert points[100].low is points[100].high is None
    assert found.few is not None
    assert points[100].x < found.few.at < points[1000].x


def test_slides_of_like_counts_spread_over_the_axis() -> None:
    """Thirty of 900 to 1,190 cells take two fifths of the width, and none lies on its ends."""
    found = plot(*(row(90 + n, 810 + 9 * n) for n in range(30)))
    assert [tick.value for tick in found.across] == [800, 900, 1000]
    places = [point.x for point in found.points]
    assert max(places) - min(places) > 0.4 * (found.right - found.left)
    assert found.left < min(places) < max(places) < found.right


@pytest.mark.parametrize("total", [1, 2, 7, 99, 101, 151, 1000, 2400, 39_999, 1_234_567])
def test_any_count_alone_has_ticks_around_it(total: int) -> None:
    found = plot(row(0, total))
    assert found.points[0].x == pytest.approx((found.left + found.right) / 2)
    assert 1 <= len(found.across) <= 12
    assert all(found.left <= tick.at <= found.right for tick in found.across)


def test_many_powers_of_ten_have_ticks_of_their_own() -> None:
    assert [tick.value for tick in plot(row(1, 1), row(1, 999_999)).across] == [10**n for n in range(1, 7)]


def test_what_needs_a_look_lies_on_top_and_small_counts_above_large_ones() -> None:
    found = plot(row(1, 9), row(200, 800), row(500, 500), row(4000, 6000))
    assert [point.row.total for point in found.points] == [10_000, 1000, 1000, 10]


def test_the_axis_shows_intervals_and_cut_offs() -> None:
    assert plot(row(1, 99), cutoffs=(5.0, 30.0)).upper == 40
    assert [tick.value for tick in plot(row(1, 99), cutoffs=(5.0, 30.0)).cutoffs] == [5.0, 30.0]
    assert plot(row(19, 81, interval=(12.0, 41.0))).upper == 60


def test_equal_counts_still_have_an_axis() -> None:
    found = plot(row(1, 999), row(2, 998))
    assert [tick.value for tick in found.across] == [800, 900, 1000]
    assert found.few is None, "500 lies outside"
    assert all(point.x == pytest.approx((found.left + found.right) / 2) for point in found.points)


def test_without_any_index_there_is_no_plot() -> None:
    rows = [
        SummaryRow.failed("a", "empty", model="m"),
        SummaryRow.from_result(result(mm2=0.0), seconds=None),
    ]
    assert scatter_of(rows, cutoffs_percent=(), least_cells=500) is None
