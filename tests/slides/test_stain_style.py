"""A stain's six numbers, and how far a stain lies from those that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wsi_edt.slides.stain_style import OWN_VARIANCE, KnownStains, stain_style


def test_the_numbers_of_two_colours() -> None:
    """A quarter glass, of which nothing counts; the rest is half one colour, half another."""
    picture = np.full((40, 40, 3), 255, np.uint8)
    picture[:, :15], picture[:, 15:30] = (127, 63, 31), (63, 127, 31)
    style = stain_style([picture], mpp=2.0)
    assert style is not None
    # Natural densities of 127, 63, 31: log 2, 2 log 2, 3 log 2. Red and green: mean 1.5 log 2, spread 0.5 log 2.
    one = math.log(2)
    expected = [
        math.log(1.5 * one),
        math.log(1.5 * one),
        math.log(3 * one),
        math.log(0.5 * one),
        math.log(0.5 * one),
    ]
    assert style[:5] == pytest.approx(expected, abs=1e-9)
    assert style[5] == math.log(1e-3)  # blue doesn't vary


def test_a_finer_picture_of_the_same_has_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 200, (50, 60, 3), dtype=np.uint8)
    fine = coarse.repeat(4, axis=0).repeat(4, axis=1)
    assert stain_style([fine], mpp=0.5) == pytest.approx(stain_style([coarse], mpp=2.0), abs=1e-9)


def test_glass_has_no_stain() -> None:
    assert stain_style([np.full((50, 50, 3), 250, np.uint8)], mpp=2.0) is None
    assert stain_style([], mpp=2.0) is None


def test_a_distance_counts_standard_deviations() -> None:
    known = KnownStains(
        9, (1.0,) * 6, tuple(tuple(4.0 * (row == column) for column in range(6)) for row in range(6))
    )
    assert known.distance(np.full(6, 1.0)) == 0
    assert known.distance(np.array([1, 1, 1, 1, 1, 7.0])) == pytest.approx(3)
    assert known.distance(np.array([3, 3, 3, 3, 1, 1.0])) == pytest.approx(2)


def test_few_pictures_tell_nothing() -> None:
    assert KnownStains.of([np.zeros(6)] * 2) is None


def test_pictures_that_are_all_alike_leave_some_room() -> None:
    known = KnownStains.of([np.zeros(6)] * 3)
    assert known is not None
    assert known.distance(np.array([math.sqrt(OWN_VARIANCE), 0, 0, 0, 0, 0])) == pytest.approx(1)
