"""Round ends and ticks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.report.axis import axis_upper
from wsi_edt.report.scales import round_up, ticks


@pytest.mark.parametrize(
    ("value", "end", "at"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.7, 0.8, [0, 0.2, 0.4, 0.6, 0.8]),
        (1.2, 1.5, [0, 0.5, 1, 1.5]),
        (37.0, 40.0, [0, 10, 20, 30, 40]),
        (93.0, 100.0, [0, 20, 40, 60, 80, 100]),
        (5000.0, 5000.0, [0, 1000, 2000, 3000, 4000, 5000]),
    ],
)
def test_ends_and_ticks_are_round(value: float, end: float, at: list[float]) -> None:
    assert round_up(value) == end
    assert ticks(end) == at


@given(st.floats(1e-6, 1e9))
def test_an_end_holds_its_value_and_little_more(value: float) -> None:
    end = round_up(value)
    assert value * (1 - 1e-6) <= end <= value * 1.6
    assert ticks(end)[0] == 0
    assert ticks(end)[-1] == end


@pytest.mark.parametrize(
    ("shown", "upper"), [([], 5.0), ([2.0], 5.0), ([5.0, 13.25, 20.0, 30.0], 40.0), ([3.0, 97.0], 100.0)]
)
def test_the_axis_shows_all_that_is_on_it(shown: list[float], upper: float) -> None:
    assert axis_upper(shown) == upper
