"""Points that were clicked in a hurry, moved to the middle of what they were meant for.

A click that misses its nucleus's centre teaches a network to blur its maps. Nuclei are darker than what surrounds them, so
each click takes a dark spot near it for its nucleus, and no two take the same one.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, diags_array, hstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

from wsi_edt.datasets.labelled import ImageArray, LabelledImage, PointArray
from wsi_edt.geometry import pixel_centers
from wsi_edt.qupath.regions import contains

# µm, of the Gaussians: the first shows a large nucleus as one spot, the last tells small ones apart that touch.
SIGMAS_UM = (2.0, 1.4, 1.0)
LARGEST_DENSITY = 1.2  # decadic, of the three colours together: darker brown counts no more than dark blue
APART_UM = 3.0  # nearer than this to each other no two nuclei have their middles

FloatArray = npt.NDArray[np.float32]


def centred(image: LabelledImage, *, within_um: float) -> LabelledImage:
    """The image with each point moved to the middle of the dark spot that it was meant for.

    Points take spots so that all of them together move as little as possible (least squares), where one without a spot
    counts as if it moved all of `within_um`; first among the spots that a wide Gaussian leaves, then, for points without
    one, among those of narrower ones. A point stays if it has none, and if it would meet another one: clicks on two nuclei
    never become one.

    Parameters
    ----------
    image : with points that were clicked
    within_um : how far a point is moved at most, µm
    """
    clicks, moved = image.points, image.points.copy()
    waiting = np.ones(len(clicks), np.bool_)
    for sigma_um in SIGMAS_UM:
        spots = _dark_spots(image.pixels, sigma_px=sigma_um / image.image_mpp)
        if image.region is not None:
            spots = spots[contains(image.region, spots[:, 0], spots[:, 1])]
        spots = _far_from(moved[~waiting], spots, apart_px=APART_UM / image.image_mpp)
        rows, columns = _assigned(clicks[waiting], spots, reach_px=within_um / image.image_mpp)
        taken = np.flatnonzero(waiting)[rows]
        moved[taken], waiting[taken] = spots[columns], False
    stays = _would_meet(moved, clicks, apart_px=APART_UM / image.image_mpp)
    return replace(image, points=np.where(stays[:, None], clicks, moved))


def _dark_spots(pixels: ImageArray, *, sigma_px: float) -> PointArray:
    """Where the smoothed optical density is highest within two sigma: (N, 2), px."""
    density = (8 * np.log10(2) - np.log10(pixels.astype(np.float32) + 1)).sum(axis=2)
    smooth = cv2.GaussianBlur(np.minimum(density, LARGEST_DENSITY), (0, 0), sigma_px)
    side = 2 * int(sigma_px) + 1
    highest = cv2.dilate(smooth, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return pixel_centers(np.argwhere(smooth == highest)[:, ::-1])


def _far_from(taken: PointArray, spots: PointArray, *, apart_px: float) -> PointArray:
    """The spots that no other nucleus has its middle near to."""
    return spots[cKDTree(taken).query(spots)[0] > apart_px] if len(taken) and len(spots) else spots


def _assigned(
    clicks: PointArray, spots: PointArray, *, reach_px: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which clicks take which spots: rows of both."""
    if not len(clicks) or not len(spots):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    near = cKDTree(clicks).sparse_distance_matrix(cKDTree(spots), reach_px, output_type="coo_matrix")
    # 1 is added since a sparse matrix has no zeros. The columns after those of the spots stand for staying.
    costs = coo_matrix((near.data**2 + 1, (near.row, near.col)), shape=near.shape)
    staying = diags_array(np.full(len(clicks), reach_px**2 + 1))
    rows, columns = min_weight_full_bipartite_matching(hstack([costs, staying], format="csr"))
    moves = columns < len(spots)
    return rows[moves].astype(np.int64), columns[moves].astype(np.int64)


def _would_meet(moved: PointArray, points: PointArray, *, apart_px: float) -> npt.NDArray[np.bool_]:
    """Which points would come as near to another one as no two nuclei are, and nearer than they were."""
    pairs = cKDTree(moved).query_pairs(apart_px, output_type="ndarray")
    before = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    after = np.hypot(*(moved[pairs[:, 0]] - moved[pairs[:, 1]]).T)
    meets = np.zeros(len(points), np.bool_)
    meets[pairs[after < before].ravel()] = True
    return meets
