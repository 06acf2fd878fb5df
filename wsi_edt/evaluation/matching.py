"""One-to-one matching of predicted to true points (paper §4.2)."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

from wsi_edt.errors import UsageError

Points = npt.NDArray[np.float64]
IndexPairs = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def match_points(predicted: Points, truth: Points, *, radius_px: float) -> IndexPairs:
    """A one-to-one matching with as many pairs as possible at distance <= `radius_px`.

    Greedy matching and minimum-cost assignment with a cut-off can both leave cells unmatched that could have a
    partner.

    Parameters
    ----------
    predicted : (N, 2) float64, (x, y) px
    truth : (M, 2) float64, (x, y) px of the same frame
    radius_px : the largest distance of a pair, inclusive

    Returns
    -------
    (K, 2) int64, pairs (index into predicted, index into truth), ordered by the first
    """
    _check_radius(radius_px)
    if len(predicted) == 0 or len(truth) == 0:
        return np.zeros((0, 2), np.int64)
    graph = _near(predicted, truth, radius_px)
    partner = np.asarray(maximum_bipartite_matching(graph, perm_type="column"))
    matched = np.flatnonzero(partner >= 0)
    return np.stack([matched, partner[matched]], axis=1).astype(np.int64)


def matched_in_order(predicted: Points, truth: Points, *, radius_px: float) -> BoolArray:
    """For each prediction, whether it enlarges the largest matching of those before it: (N,) bool.

    The sum over the first n is therefore the size of a largest matching of the first n: with predictions in descending
    order of their scores, one pass finds the matches above every threshold, where `match_points` finds those above one.
    It also settles which predictions are the matched ones without a choice between equal matchings: a prediction is,
    unless those that are surer can already hold every cell that it could free.

    Parameters
    ----------
    predicted : (N, 2) float64, (x, y) px, in the order in which they are taken
    truth : (M, 2) float64, (x, y) px of the same frame
    radius_px : the largest distance of a pair, inclusive
    """
    _check_radius(radius_px)
    enlarges = np.zeros(len(predicted), np.bool_)
    if len(predicted) == 0 or len(truth) == 0:
        return enlarges
    graph = _near(predicted, truth, radius_px)
    # Lists: single elements of arrays cost several times as much.
    starts, cells = graph.indptr.tolist(), graph.indices.tolist()
    near = [cells[first:end] for first, end in itertools.pairwise(starts)]
    holder = [-1] * len(truth)  # the prediction that holds each cell
    held = [-1] * len(predicted)  # the cell that each prediction holds
    exhausted = [False] * len(truth)
    for start in range(len(predicted)):
        reached_from, free = _free_cell(start, near, holder, exhausted)
        if free < 0:
            # All that was reached is held, and so is everything that its holders could move to: no later search gets out
            # of it either. Without this, every surplus prediction in a crowd would search the whole crowd again.
            for cell in reached_from:
                exhausted[cell] = True
            continue
        enlarges[start] = True
        cell = free
        while cell >= 0:  # from the free cell back to `start`, whose held cell is none
            mover = reached_from[cell]
            holder[cell], held[mover], cell = mover, cell, held[mover]
    return enlarges


def _free_cell(
    start: int, near: list[list[int]], holder: list[int], exhausted: list[bool]
) -> tuple[dict[int, int], int]:
    """The nearest free cell along holders who would have to move, or -1; and which prediction reached each cell."""
    reached_from: dict[int, int] = {}
    queue = [start]
    for prediction in queue:  # grows as holders are found
        for cell in near[prediction]:
            if exhausted[cell] or cell in reached_from:
                continue
            reached_from[cell] = prediction
            if holder[cell] < 0:
                return reached_from, cell
            queue.append(holder[cell])
    return reached_from, -1


def _near(predicted: Points, truth: Points, radius_px: float) -> csr_array:
    """(N, M) sparse: which predictions and cells are at most `radius_px` apart; neither may be empty."""
    near = cKDTree(predicted).sparse_distance_matrix(cKDTree(truth), radius_px, output_type="ndarray")
    edges = (np.ones(len(near), np.uint8), (near["i"], near["j"]))
    return csr_array(edges, shape=(len(predicted), len(truth)))


def _check_radius(radius_px: float) -> None:
    if not radius_px >= 0:
        raise UsageError(f"is {radius_px}", where="radius_px", remedy="give 0 or more")
