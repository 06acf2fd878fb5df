"""Location maps from annotated cell centres: EDT, IDT, FIDT and density (paper §3.1, Eqs. 3-6, Table 10).

Li et al., Exponential distance transform maps for cell localization, EAAI 132 (2024) 107948. DT is the
Euclidean distance from a pixel to the nearest pixel that holds an annotated centre.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.errors import AnnotationError, UsageError
from wsi_edt.maps.kinds import FLOOR, DistanceKind, Edt, Fidt, Idt, Points, reach_px

FloatMap = npt.NDArray[np.float32]
Outside = Literal["error", "count"]

# Gaussians are cut this many σ from their centre, where they have fallen to 0.0003 of their peak.
GAUSSIAN_REACH = 4.0


def edt_map(
    points: Points,
    shape: tuple[int, int],
    *,
    max_distance_px: float,
    outside: Outside = "error",
    c1: float = 10.0,
    c2: float = 0.5,
    c3: float = 1.0,
) -> FloatMap:
    """Exponential distance transform map: ``1 / (DT ** (c1 · DT / max(DT) + c2) + c3)`` (Eq. 6).

    Parameters
    ----------
    points : (N, 2) float64, (x, y) in continuous px of the map's frame
    shape : (height, width) in px
    max_distance_px : max(DT) of the field that the map belongs to, see `field_max_distance` and
        `clamp_max_distance`
    outside : "error" refuses points outside `shape`; "count" lets them shape the map, as the neighbours of a
        crop do: the map of a crop, given its neighbours, is the crop of the map
    c1, c2, c3 : Table 10's constants

    Returns
    -------
    (height, width) float32, 1 / c3 at the centres, 0 where it would be below 0.01; all 0 without points

    Raises
    ------
    AnnotationError
        If points aren't finite, or lie outside while `outside` is "error".
    UsageError
        If the map wouldn't fall with distance with these constants.
    """
    kind = Edt(c1, c2, c3)
    if not (np.isfinite(max_distance_px) and max_distance_px > 0):
        raise UsageError(
            f"there is no EDT map for max_distance_px {max_distance_px}", remedy="choose max_distance_px > 0"
        )
    return _distance_map(points, shape, kind, max_distance_px=max_distance_px, outside=outside)


def idt_map(
    points: Points, shape: tuple[int, int], *, outside: Outside = "error", c: float = 1.0
) -> FloatMap:
    """Inverse distance transform map: ``1 / (DT + c)`` (Eq. 4); parameters and result as in `edt_map`."""
    return _distance_map(points, shape, Idt(c), outside=outside)


def fidt_map(
    points: Points,
    shape: tuple[int, int],
    *,
    outside: Outside = "error",
    alpha: float = 0.02,
    beta: float = 0.75,
    c: float = 1.0,
) -> FloatMap:
    """Focal inverse distance transform map: ``1 / (DT ** (alpha·DT + beta) + c)`` (Eq. 5); see `edt_map`."""
    return _distance_map(points, shape, Fidt(alpha, beta, c), outside=outside)


def density_map(
    points: Points,
    shape: tuple[int, int],
    *,
    sigma_px: float | npt.NDArray[np.float64],
    outside: Outside = "error",
) -> FloatMap:
    """Density map: the sum of one Gaussian of unit mass per point (Eq. 3).

    Parameters
    ----------
    points : (N, 2) float64, (x, y) in continuous px
    shape : (height, width) in px
    sigma_px : one σ for all points, or (N,) one each, see `neighbour_sigmas`
    outside : as in `edt_map`

    Returns
    -------
    (height, width) float32 in cells per px. Mass beyond the map's edge is lost, so that a crop keeps its
    values.
    """
    pixels = _pixels(points, shape, outside)
    sigmas = np.broadcast_to(np.asarray(sigma_px, dtype=np.float64), (len(pixels),))
    if not np.all(np.isfinite(sigmas) & (sigmas > 0)):
        raise UsageError(
            f"there is no density map for sigma_px {sigmas[~(sigmas > 0)][:1].tolist()}",
            remedy="choose sigma_px > 0",
        )
    height, width = shape
    density = np.zeros(shape, np.float64)
    for (x, y), sigma in zip(pixels.tolist(), sigmas.tolist(), strict=True):
        radius = max(1, int(np.ceil(GAUSSIAN_REACH * sigma)))
        left, right = max(x - radius, 0), min(x + radius + 1, width)
        top, bottom = max(y - radius, 0), min(y + radius + 1, height)
        if left >= right or top >= bottom:
            continue
        line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        line /= line.sum()
        rows, columns = (
            line[top - y + radius : bottom - y + radius],
            line[left - x + radius : right - x + radius],
        )
        density[top:bottom, left:right] += np.outer(rows, columns)
    return density.astype(np.float32)


def field_max_distance(points: Points, shape: tuple[int, int]) -> float:
    """The largest DT of a field, in px: how far its emptiest pixel is from the nearest of its points.

    The paper takes it over each 512×512 image. A field without points gives its diagonal, which is farther
    than any DT of it could be.

    Parameters
    ----------
    points : (N, 2) float64, (x, y) in continuous px, all cells of the field whatever their class
    shape : (height, width) in px
    """
    pixels = _pixels(points, shape, "error")
    if len(pixels) == 0:
        return float(np.hypot(*shape))
    empty = np.ones(shape, np.uint8)
    empty[pixels[:, 1], pixels[:, 0]] = 0
    return float(cv2.distanceTransform(empty, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max())


def clamp_max_distance(max_distance_px: float, *, low: float = 60.0, high: float = 150.0) -> float:
    """max(DT) kept in [`low`, `high`] px, so that a sparse field doesn't get discs of 70 px."""
    return min(max(max_distance_px, low), high)


def _distance_map(
    points: Points,
    shape: tuple[int, int],
    kind: DistanceKind,
    *,
    max_distance_px: float = 1.0,
    outside: Outside = "error",
) -> FloatMap:
    """The map of that kind, which falls with DT, cut at `FLOOR`; see `edt_map`.

    Only EDT depends on `max_distance_px`.
    """
    pixels = _pixels(points, shape, outside)
    if len(pixels) == 0:
        return np.zeros(shape, np.float32)
    # No point is farther than this from the map's farthest pixel, whatever the kind's reach.
    farthest = np.maximum(np.abs(pixels), np.abs(pixels - (shape[1], shape[0]))).max(axis=0)
    reach = reach_px(kind, max_distance_px=max_distance_px, limit_px=int(np.ceil(np.hypot(*farthest))))
    values = kind.values(_disc_distances(reach), max_distance_px=max_distance_px)
    values[values < FLOOR] = 0.0
    return _stamp_maximum(pixels, shape, values.astype(np.float32))


def _disc_distances(radius: int) -> npt.NDArray[np.float64]:
    """(2 radius + 1, 2 radius + 1) distances to the middle pixel."""
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    return np.sqrt(offsets[:, None] ** 2 + offsets[None, :] ** 2)


def _stamp_maximum(
    pixels: npt.NDArray[np.int64], shape: tuple[int, int], disc: npt.NDArray[np.floating]
) -> FloatMap:
    """The largest of all discs laid on `pixels` (x, y), 0 where there is none: (height, width) float32.

    Each of the maps falls with the distance to a point, so the nearest point's disc is the largest. At some hundred
    cells a field this is several times faster than a distance transform.
    """
    height, width = shape
    side = disc.shape[0]
    radius = side // 2
    disc = disc.astype(np.float32)
    # The canvas has room for every disc that touches the map, so that none has to be clipped.
    canvas = np.zeros((height + 4 * radius, width + 4 * radius), np.float32)
    corners = pixels + radius
    touching = np.all((corners >= 0) & (corners < (width + 2 * radius, height + 2 * radius)), axis=1)
    for x, y in corners[touching].tolist():
        under = canvas[y : y + side, x : x + side]
        np.maximum(under, disc, out=under)
    return canvas[2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width].copy()


def _pixels(points: Points, shape: tuple[int, int], outside: Outside) -> npt.NDArray[np.int64]:
    """The pixel (column, row) that holds each point, (N, 2)."""
    points = np.asarray(points, dtype=np.float64)
    if points.size == 0:
        return np.zeros((0, 2), np.int64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise AnnotationError(f"points have the shape {points.shape}", remedy="give (N, 2), one (x, y) a row")
    if not np.all(np.isfinite(points)):
        first = int(np.argmin(np.isfinite(points).all(axis=1)))
        raise AnnotationError("isn't finite", where=f"point {first}", remedy="remove it")
    pixels = np.floor(points).astype(np.int64)
    if outside == "error":
        height, width = shape
        inside = np.all((pixels >= 0) & (pixels < (width, height)), axis=1)
        if not inside.all():
            first = int(np.argmin(inside))
            x, y = points[first]
            raise AnnotationError(
                f"lies outside the image of {width} x {height} px",
                where=f"point {first} at ({x:g}, {y:g})",
                remedy="correct or remove it",
            )
    return pixels
