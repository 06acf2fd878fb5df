"""How far places in tissue lie from its outer edge."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.geometry import FloatArray

Raster = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

_PX_UM = 10.0  # of the raster that distances are measured on, about: glass of two px, 20 µm, is seen
_CLOSING_UM = 80.0  # a cleft of less than twice that, 160 µm, is no edge
_RIM_PX = 1  # the outermost px, which may reach beyond the picture and then holds less tissue than there is


def edge_distances(x: FloatArray, y: FloatArray, shares: Raster, *, unit_um: float) -> FloatArray:
    """How far each point lies inside the tissue's outer edge, µm; 0 outside, infinite where there is no edge.

    Holes, and clefts that are narrow, are no edge. Nor is the picture's own where tissue reaches it: what lies beyond is
    unknown. Glass between tissue and the picture's edge is the tissue's end, however narrow it is.

    Parameters
    ----------
    x, y : (N,) units of the raster
    shares : (rows, columns), how much of each unit is tissue, in [0, 1]
    unit_um : the side of a unit, µm
    """
    factor = max(1, round(_PX_UM / unit_um))
    radius = round(_CLOSING_UM / (factor * unit_um))
    pad = 2 * radius + 1
    tissue = _closed(_going_on(_coarser(shares, factor) >= 0.5, pad), radius)
    if tissue.all():
        return np.full(len(x), np.inf)
    # From a px to the nearest outside, centre to centre: the edge lies half a px nearer.
    distance = cv2.distanceTransform(tissue.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance = distance[pad:-pad, pad:-pad]
    row, column = (
        np.clip((place / factor).astype(np.int64), 0, size - 1)
        for place, size in zip((y, x), distance.shape, strict=True)
    )
    distances = np.maximum(distance[row, column].astype(np.float64) - 0.5, 0) * factor * unit_um
    return np.asarray(distances)


def _coarser(shares: Raster, factor: int) -> Raster:
    """The mean of each block of `factor` × `factor` units; at the right and the bottom of those that there are."""
    rows, columns = shares.shape
    pad = ((0, -rows % factor), (0, -columns % factor))
    whole = np.pad(shares, pad, mode="edge")
    size = (whole.shape[1] // factor, whole.shape[0] // factor)
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _going_on(tissue: BoolArray, pad: int) -> BoolArray:
    """The picture with `pad` px around it, in which its edge goes on: glass as glass, so that no closing swallows it."""
    rows, columns = (slice(_RIM_PX, -_RIM_PX) if size > 2 * _RIM_PX else slice(None) for size in tissue.shape)
    inner = tissue[rows, columns]
    wider = [pad + (size - left) // 2 for size, left in zip(tissue.shape, inner.shape, strict=True)]
    return np.pad(inner, [(width, width) for width in wider], mode="edge")


def _closed(tissue: BoolArray, radius: int) -> BoolArray:
    """The tissue without narrow clefts, and without holes: glass that goes on neither to the picture's edge."""
    side = 2 * radius + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx(tissue.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    _, labels = cv2.connectedComponents(1 - closed, connectivity=4)
    outside = np.zeros(labels.max() + 1, np.bool_)
    for side_labels in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        outside[side_labels] = True
    outside[0] = False  # the tissue
    return np.asarray(~outside[labels], dtype=np.bool_)
