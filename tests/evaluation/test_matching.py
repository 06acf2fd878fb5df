"""Matching against all assignments on small cases, and against the two methods that give fewer matches."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from wsi_edt.errors import UsageError
from wsi_edt.evaluation.matching import match_points, matched_in_order
from wsi_edt.geometry import FloatArray


def distances(predicted: FloatArray, truth: FloatArray) -> FloatArray:
    return np.asarray(np.hypot(*(predicted[:, None] - truth[None]).transpose(2, 0, 1)))


def most_pairs(predicted: FloatArray, truth: FloatArray, radius_px: float) -> int:
    """The largest number of pairs over all assignments of the fewer to the more."""
    if len(predicted) > len(truth):
        predicted, truth = truth, predicted
    near = distances(predicted, truth) <= radius_px
    rows = np.arange(len(predicted))
    return max(
        int(near[rows, list(choice)].sum()) for choice in permutations(range(len(truth)), len(predicted))
    )


def greedy(predicted: FloatArray, truth: FloatArray, radius_px: float) -> int:
    """Pairs when the closest two left are matched first."""
    distance = distances(predicted, truth)
    pairs = 0
    while distance.size and distance.min() <= radius_px:
        row, column = np.unravel_index(distance.argmin(), distance.shape)
        distance[row], distance[:, column] = np.inf, np.inf
        pairs += 1
    return pairs


def cheapest_with_cut_off(predicted: FloatArray, truth: FloatArray, radius_px: float) -> int:
    """Pairs of the assignment of least total distance that are close enough."""
    distance = distances(predicted, truth)
    return int((distance[linear_sum_assignment(distance)] <= radius_px).sum())


def check(pairs: np.ndarray, predicted: FloatArray, truth: FloatArray, radius_px: float) -> None:
    assert pairs.shape == (len(pairs), 2)
    assert pairs.dtype == np.int64
    assert len(set(pairs[:, 0].tolist())) == len(set(pairs[:, 1].tolist())) == len(pairs)
    assert pairs[:, 0].tolist() == sorted(pairs[:, 0].tolist())
    assert (distances(predicted, truth)[pairs[:, 0], pairs[:, 1]] <= radius_px).all()


points = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=6)


@given(predicted=points, truth=points, radius_px=st.sampled_from([0.0, 1.0, 3.0, 5.0, 20.0]))
def test_as_many_pairs_as_the_best_of_all_assignments(
    predicted: list[tuple[int, int]], truth: list[tuple[int, int]], radius_px: float
) -> None:
    found, cells = np.array(predicted, np.float64), np.array(truth, np.float64)
    pairs = match_points(found, cells, radius_px=radius_px)
    check(pairs, found, cells, radius_px)
    assert len(pairs) == most_pairs(found, cells, radius_px)


def test_greedy_and_cheapest_assignment_both_find_fewer() -> None:
    # Radius 10. The second prediction is 1 px from the first cell and 9.5 px from the second; the first
    # prediction is 9 px from the first cell and 11.7 px from the second. Both methods take the 1 px, for
    # 1 + 11.7 in all, which is cheaper than 9 + 9.5, and leave two points alone.
    predicted = np.array([[0.0, 0.0], [9.0, 1.0]])
    truth = np.array([[9.0, 0.0], [6.0, 10.0]])
    assert greedy(predicted, truth, 10.0) == 1
    assert cheapest_with_cut_off(predicted, truth, 10.0) == 1
    assert match_points(predicted, truth, radius_px=10.0).tolist() == [[0, 0], [1, 1]]


def test_the_radius_is_inclusive() -> None:
    # A 3-4-5 triangle, exact in floating point.
    predicted, truth = np.array([[3.0, 4.0]]), np.array([[0.0, 0.0]])
    assert len(match_points(predicted, truth, radius_px=5.0)) == 1
    assert len(match_points(predicted, truth, radius_px=4.999)) == 0
    assert len(match_points(truth, truth, radius_px=0.0)) == 1


def test_one_cell_is_matched_once() -> None:
    pairs = match_points(np.zeros((5, 2)), np.zeros((2, 2)), radius_px=1.0)
    assert len(pairs) == 2


def test_nothing_to_match() -> None:
    none, some = np.zeros((0, 2)), np.zeros((3, 2))
    for predicted, truth in ((none, some), (some, none), (none, none)):
        pairs = match_points(predicted, truth, radius_px=5.0)
        assert pairs.shape == (0, 2)
        assert pairs.dtype == np.int64


def test_the_number_of_pairs_does_not_depend_on_the_order() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 300, (400, 2))
    predicted = truth[:380] + rng.normal(0, 6, (380, 2))
    pairs = match_points(predicted, truth, radius_px=10.0)
    check(pairs, predicted, truth, 10.0)
    shuffled = match_points(rng.permutation(predicted), rng.permutation(truth), radius_px=10.0)
    assert len(pairs) == len(shuffled) == len(match_points(truth, predicted, radius_px=10.0))
    assert len(pairs) > greedy(predicted, truth, 10.0)


@pytest.mark.parametrize("radius_px", [-1.0, float("nan")])
def test_a_radius_that_is_none_is_refused(radius_px: float) -> None:
    for match in (match_points, matched_in_order):
        with pytest.raises(UsageError, match="radius_px"):
            match(np.zeros((1, 2)), np.zeros((1, 2)), radius_px=radius_px)


@given(predicted=points, truth=points, radius_px=st.sampled_from([0.0, 1.0, 3.0, 5.0, 20.0]))
def test_in_order_every_beginning_has_a_largest_matching(
    predicted: list[tuple[int, int]], truth: list[tuple[int, int]], radius_px: float
) -> None:
    found, cells = np.array(predicted, np.float64), np.array(truth, np.float64)
    enlarges = matched_in_order(found, cells, radius_px=radius_px)
    sizes = [most_pairs(found[:count], cells, radius_px) for count in range(1, len(found) + 1)]
    assert np.cumsum(enlarges).tolist() == sizes


def test_in_order_agrees_on_a_crowd() -> None:
    # More predictions than cells, everything within reach of many: searches run far and fail often.
    rng = np.random.default_rng(1)
    truth, predicted = rng.uniform(0, 120, (150, 2)), rng.uniform(0, 120, (400, 2))
    enlarges = matched_in_order(predicted, truth, radius_px=12.0)
    assert enlarges.dtype == np.bool_
    for count in (1, 60, 140, 180, 250, 400):
        assert enlarges[:count].sum() == len(match_points(predicted[:count], truth, radius_px=12.0))
    assert enlarges.sum() == 150  # every cell in the end, so that most searches have failed


def test_in_order_an_earlier_prediction_makes_room_but_keeps_its_place() -> None:
    # The first can take either cell, the second only the first one's: both count. A third finds nothing left.
    truth = np.array([[0.0, 0.0], [4.0, 0.0]])
    predicted = np.array([[2.0, 0.0], [-2.0, 0.0], [1.0, 0.0]])
    assert matched_in_order(predicted, truth, radius_px=2.0).tolist() == [True, True, False]
    assert matched_in_order(predicted[::-1].copy(), truth, radius_px=2.0).tolist() == [True, False, True]


def test_in_order_nothing_to_match() -> None:
    none, some = np.zeros((0, 2)), np.zeros((3, 2))
    assert matched_in_order(none, some, radius_px=1.0).tolist() == []
    assert matched_in_order(some, none, radius_px=1.0).tolist() == [False] * 3
