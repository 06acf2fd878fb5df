"""Points that were clicked in a hurry, moved to the middle of what they were meant for.

A click that misses its nucleus's centre teaches a network to blur its maps. Nuclei are darker than what surrounds them, so
each click is moved to the darkest place near it.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from wsi_edt.datasets.labelled import ImageArray, LabelledImage, PointArray
from wsi_edt.geometry import pixel_centers
from wsi_edt.qupath.regions import contains

SIGMA_UM = (
    1.6  # of the Gaussian: about a third of a nucleus's radius, so that its middle is the darkest place
)
LARGEST_DENSITY = 1.2  # decadic, of the three colours together: darker brown counts no more than dark blue
NEARNESS = 0.005  # optical density that a place must be darker for each µm that it lies farther away
APART_UM = 3.0  # two clicks that would come nearer to each other than this are left where they are

FloatArray = npt.NDArray[np.float32]


def centred(image: LabelledImage, *, within_um: float) -> LabelledImage:
    """The image with each point moved to the darkest place around it.

    A point stays if it would leave the region, or meet another one: clicks on two nuclei never become one.

    Parameters
    ----------
    image : with points that were clicked
    within_um : how far a point is moved at most, µm
    """
    darkness = _darkness(image.pixels, sigma_px=SIGMA_UM / image.image_mpp)
    reach = within_um / image.image_mpp
    line = np.arange(-int(reach), int(reach) + 1)
    offsets = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    distance = np.hypot(*offsets.T)
    offsets, distance = offsets[distance <= reach], distance[distance <= reach]
    height, width = darkness.shape
    places = np.floor(image.points).astype(np.int64)[:, None] + offsets  # (N, K, 2)
    x, y = places[..., 0].clip(0, width - 1), places[..., 1].clip(0, height - 1)
    merit = darkness[y, x] - NEARNESS * image.image_mpp * distance.astype(np.float32)
    best = merit.argmax(axis=1)[:, None]
    moved = pixel_centers(np.concatenate([np.take_along_axis(one, best, axis=1) for one in (x, y)], axis=1))
    stays = _would_meet(moved, image.points, apart_px=APART_UM / image.image_mpp)
    if image.region is not None:
        stays |= ~contains(image.region, moved[:, 0], moved[:, 1])
    return replace(image, points=np.where(stays[:, None], image.points, moved))


def _darkness(pixels: ImageArray, *, sigma_px: float) -> FloatArray:
    """The colours' optical density, capped and smoothed: (H, W)."""
    density = (8 * np.log10(2) - np.log10(pixels.astype(np.float32) + 1)).sum(axis=2)
    smooth: FloatArray = cv2.GaussianBlur(np.minimum(density, LARGEST_DENSITY), (0, 0), sigma_px)
    return smooth


def _would_meet(moved: PointArray, points: PointArray, *, apart_px: float) -> npt.NDArray[np.bool_]:
    """Which points would come as near to another one as no two nuclei are, and nearer than they were."""
    pairs = cKDTree(moved).query_pairs(apart_px, output_type="ndarray")
    before = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    after = np.hypot(*(moved[pairs[:, 0]] - moved[pairs[:, 1]]).T)
    meets = np.zeros(len(points), np.bool_)
    meets[pairs[after < before].ravel()] = True
    return meets
