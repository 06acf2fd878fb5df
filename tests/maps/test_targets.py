"""The location maps against hand-computed values, brute force over all pixels and points, and each other."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.errors import AnnotationError, UsageError
from wsi_edt.geometry import FloatArray
from wsi_edt.maps import (
    clamp_max_distance,
    density_map,
    edt_map,
    fidt_map,
    field_max_distance,
    idt_map,
    neighbour_sigmas,
)

SHAPE = (40, 56)
Draw = Callable[[FloatArray, tuple[int, int]], npt.NDArray[np.float32]]


def brute_distance(points: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """DT by its definition: from each pixel to the pixels that hold a point, the least of all."""
    held = [(int(np.floor(x)), int(np.floor(y))) for x, y in points]
    distance = np.empty(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            distance[row, column] = min(np.hypot(column - x, row - y) for x, y in held)
    return distance


def cut(values: FloatArray) -> FloatArray:
    return np.where(values < 0.01, 0.0, values)


def random_points(seed: int, count: int, shape: tuple[int, int] = SHAPE) -> FloatArray:
    return np.random.default_rng(seed).uniform(0, shape[::-1], (count, 2))


def test_edt_hand_computed() -> None:
    # One centre in pixel (3, 2), max(DT) = 20: EDT(DT) = 1 / (DT ** (DT / 2 + 0.5) + 1).
    edt = edt_map(np.array([[3.9, 2.1]]), (12, 16), max_distance_px=20.0)
    assert edt.shape == (12, 16)
    assert edt.dtype == np.float32
    assert edt[2, 3] == 1.0
    assert edt[2, 4] == 0.5  # 1 ** anything is 1
    assert edt[2, 5] == pytest.approx(1 / (2**1.5 + 1))  # 0.2612
    assert edt[2, 6] == pytest.approx(1 / (3**2 + 1))  # 0.1
    assert edt[2, 7] == pytest.approx(1 / (4**2.5 + 1))  # 1 / 33
    assert edt[2, 8] == edt[6, 6] == 0.0  # DT = 5 in both: 1 / (5 ** 3 + 1) = 0.0079 is below the floor
    assert edt[3, 4] == pytest.approx(1 / (np.sqrt(2) ** (np.sqrt(2) / 2 + 0.5) + 1))


def test_idt_and_fidt_hand_computed() -> None:
    centre = np.array([[0.5, 0.5]])
    idt = idt_map(centre, (1, 120))
    assert idt[0, [0, 1, 4]] == pytest.approx([1.0, 0.5, 0.2])
    assert idt[0, 99] == pytest.approx(0.01)
    assert idt[0, 100] == 0.0
    fidt = fidt_map(centre, (1, 120))
    assert fidt[0, [0, 1]] == pytest.approx([1.0, 0.5])
    assert fidt[0, 4] == pytest.approx(1 / (4**0.83 + 1))
    assert fidt[0, 30] == pytest.approx(1 / (30**1.35 + 1))
    assert fidt[0, 31] == 0.0  # 31 ** 1.37 is more than 99


def test_edt_falls_below_the_floor_within_the_radius_that_the_paper_states() -> None:
    # §4.4.1: about 15 px on a typical 512×512 image. The largest radius above the floor by max(DT), by hand:
    # 16 ** (160 / 150 + 0.5) = 77, 17 ** (170 / 150 + 0.5) = 102; 9 ** 2 = 81, 10 ** (100 / 60 + 0.5) = 147.
    for max_distance_px, radius in ((150.0, 16), (60.0, 9)):
        row = edt_map(np.array([[0.5, 0.5]]), (1, 512), max_distance_px=max_distance_px)[0]
        assert np.flatnonzero(row).max() == radius


@pytest.mark.parametrize("seed", range(5))
def test_distance_maps_equal_brute_force(seed: int) -> None:
    points = random_points(seed, 1 + 3 * seed)
    distance = brute_distance(points, SHAPE)
    assert field_max_distance(points, SHAPE) == pytest.approx(distance.max(), rel=1e-6)
    for max_distance_px in (distance.max(), 8.0, 200.0):
        expected = cut(1 / (distance ** (10 * distance / max_distance_px + 0.5) + 1))
        np.testing.assert_allclose(
            edt_map(points, SHAPE, max_distance_px=max_distance_px), expected, rtol=1e-6
        )
    np.testing.assert_allclose(idt_map(points, SHAPE), cut(1 / (distance + 1)), rtol=1e-6)
    expected = cut(1 / (distance ** (0.02 * distance + 0.75) + 1))
    np.testing.assert_allclose(fidt_map(points, SHAPE), expected, rtol=1e-6)


def test_other_constants_follow_the_formula() -> None:
    points = random_points(7, 4)
    distance = brute_distance(points, SHAPE)
    expected = cut(1 / (distance ** (4 * distance / 30 + 1) + 2))
    np.testing.assert_allclose(
        edt_map(points, SHAPE, max_distance_px=30.0, c1=4.0, c2=1.0, c3=2.0), expected, rtol=1e-6
    )


@given(
    points=st.lists(st.tuples(st.integers(0, 4 * 160 - 1), st.integers(0, 4 * 120 - 1)), max_size=12),
    corner=st.tuples(st.integers(0, 119), st.integers(0, 79)),
    size=st.tuples(st.integers(1, 41), st.integers(1, 41)),
    max_distance_px=st.sampled_from([20.0, 60.0, 150.0, 700.0]),
)
def test_a_crop_never_changes_its_target(
    points: list[tuple[int, int]], corner: tuple[int, int], size: tuple[int, int], max_distance_px: float
) -> None:
    # Quarter pixels, so that moving to the crop's frame is exact.
    centres = np.array(points, dtype=np.float64).reshape(-1, 2) / 4
    (x, y), (width, height) = corner, size
    moved = centres - (x, y)
    crop = np.s_[y : y + height, x : x + width]
    draws: tuple[Draw, ...] = (
        lambda p, shape: edt_map(p, shape, max_distance_px=max_distance_px, outside="count"),
        lambda p, shape: idt_map(p, shape, outside="count"),
        lambda p, shape: fidt_map(p, shape, outside="count"),
    )
    for draw in draws:
        np.testing.assert_array_equal(draw(moved, (height, width)), draw(centres, (120, 160))[crop])
    # The sums of density maps may differ in their last bit.
    cropped = density_map(moved, (height, width), sigma_px=3.0, outside="count")
    np.testing.assert_allclose(cropped, density_map(centres, (120, 160), sigma_px=3.0)[crop], atol=1e-7)


def test_a_neighbour_outside_the_crop_reaches_into_it() -> None:
    inside = edt_map(np.array([[-3.5, 4.5]]), (8, 8), max_distance_px=60.0, outside="count")
    assert inside[4, 0] == pytest.approx(1 / (4 ** (4 / 6 + 0.5) + 1))


@pytest.mark.parametrize("points", [np.zeros((0, 2)), []])
def test_no_points_give_zeros(points: FloatArray) -> None:
    for empty in (
        edt_map(points, SHAPE, max_distance_px=60.0),
        idt_map(points, SHAPE),
        fidt_map(points, SHAPE),
        density_map(points, SHAPE, sigma_px=2.0),
    ):
        assert empty.shape == SHAPE
        assert empty.dtype == np.float32
        assert not empty.any()
    assert field_max_distance(points, (300, 400)) == 500.0
    assert neighbour_sigmas(np.zeros((0, 2))).shape == (0,)


def test_two_centres_in_one_pixel_are_one_zero_of_the_distance() -> None:
    one = edt_map(np.array([[5.1, 5.2]]), SHAPE, max_distance_px=60.0)
    two = edt_map(np.array([[5.1, 5.2], [5.9, 5.9]]), SHAPE, max_distance_px=60.0)
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("point", [(-0.1, 3.0), (3.0, -5.0), (56.0, 3.0), (3.0, 40.0)])
def test_points_outside_are_named(point: tuple[float, float]) -> None:
    points = np.array([(1.0, 1.0), point])
    message = r"point 1 at \(.*\) lies outside the image of 56 x 40 px"
    with pytest.raises(AnnotationError, match=message):
        edt_map(points, SHAPE, max_distance_px=60.0)
    with pytest.raises(AnnotationError, match=message):
        density_map(points, SHAPE, sigma_px=2.0)
    with pytest.raises(AnnotationError, match=message):
        field_max_distance(points, SHAPE)


def test_points_that_are_none_are_named() -> None:
    with pytest.raises(AnnotationError, match="point 1 isn't finite"):
        idt_map(np.array([[1.0, 1.0], [np.nan, 2.0]]), SHAPE)
    with pytest.raises(AnnotationError, match=r"\(N, 2\)"):
        idt_map(np.ones((2, 3)), SHAPE)


def test_constants_that_make_no_map_are_refused() -> None:
    points = np.ones((1, 2))
    for wrong in (0.0, np.nan):
        with pytest.raises(UsageError, match="max_distance_px"):
            edt_map(points, SHAPE, max_distance_px=wrong)
    with pytest.raises(UsageError, match="c2 > 0"):
        edt_map(points, SHAPE, max_distance_px=60.0, c2=0.0)
    with pytest.raises(UsageError, match="0 < c <= 100"):
        idt_map(points, SHAPE, c=0.0)
    with pytest.raises(UsageError, match="beta"):
        fidt_map(points, SHAPE, beta=0.0)
    with pytest.raises(UsageError, match="sigma_px"):
        density_map(points, SHAPE, sigma_px=0.0)


def test_clamp() -> None:
    assert [clamp_max_distance(d) for d in (12.0, 60.0, 99.0, 150.0, 400.0)] == [
        60.0,
        60.0,
        99.0,
        150.0,
        150.0,
    ]
    assert clamp_max_distance(12.0, low=5.0, high=10.0) == 10.0


def test_density_is_a_sum_of_unit_gaussians() -> None:
    # Far from each other and from the edge: the mass is the number of cells, the peak 1 / (2 π σ²).
    points = np.array([[20.5, 20.5], [60.5, 20.5], [60.5, 70.5]])
    density = density_map(points, (100, 90), sigma_px=3.0)
    assert density.sum() == pytest.approx(3.0, abs=1e-4)
    assert density[20, 20] == pytest.approx(1 / (2 * np.pi * 9), rel=1e-3)
    assert density[20, 23] == pytest.approx(np.exp(-0.5) / (2 * np.pi * 9), rel=1e-3)
    # Two on one spot count twice; half a Gaussian at the edge counts half and a bit (its own pixel's row).
    assert density_map(points[[0, 0]], (100, 90), sigma_px=3.0).sum() == pytest.approx(2.0, abs=1e-4)
    at_edge = density_map(np.array([[0.5, 20.5]]), (100, 90), sigma_px=3.0).sum()
    assert at_edge == pytest.approx(0.5 + 0.5 / (3 * np.sqrt(2 * np.pi)), abs=1e-3)


def test_density_with_a_sigma_for_each_point() -> None:
    points = np.array([[20.5, 20.5], [60.5, 60.5]])
    density = density_map(points, (90, 90), sigma_px=np.array([2.0, 4.0]))
    assert density[20, 20] / density[60, 60] == pytest.approx(4.0, rel=2e-3)


def test_neighbour_sigmas_hand_computed() -> None:
    # Distances from the first: 3, 4, 5 and 100 px away: the mean of the nearest three is 4, times 0.3 is 1.2.
    points = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [-3.0, -4.0], [100.0, 0.0]])
    assert neighbour_sigmas(points)[0] == pytest.approx(1.2)
    assert neighbour_sigmas(points[:2]) == pytest.approx([0.9, 0.9])
    assert neighbour_sigmas(points[:1]) == pytest.approx([15.0])
    assert neighbour_sigmas(points[[0, 0]]) == pytest.approx([0.5, 0.5])
