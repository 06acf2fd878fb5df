"""One-to-one matching of predicted to true points (paper §4.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

from wsi_edt.errors import UsageError

Points = npt.NDArray[np.float64]
IndexPairs = npt.NDArray[np.int64]


def match_points(predicted: Points, truth: Points, *, radius_px: float) -> IndexPairs:
    """A one-to-one matching with as many pairs as there can be at distance <= `radius_px`.

    Greedy matching and minimum-cost assignment with a cut-off can both leave cells unmatched that have a
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
    if not radius_px >= 0:
        raise UsageError(f"radius_px must be 0 or more; got {radius_px}")
    if len(predicted) == 0 or len(truth) == 0:
        return np.zeros((0, 2), np.int64)
    near = cKDTree(predicted).sparse_distance_matrix(cKDTree(truth), radius_px, output_type="ndarray")
    edges = (np.ones(len(near), np.uint8), (near["i"], near["j"]))
    graph = csr_array(edges, shape=(len(predicted), len(truth)))
    partner = np.asarray(maximum_bipartite_matching(graph, perm_type="column"))
    matched = np.flatnonzero(partner >= 0)
    return np.stack([matched, partner[matched]], axis=1).astype(np.int64)
