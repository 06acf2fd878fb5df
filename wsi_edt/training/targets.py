"""What the network should say for a window of a labelled image, and where it is asked."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass
from wsi_edt.geometry import Window, pixel_centers
from wsi_edt.maps import (
    clamp_max_distance,
    density_map,
    distance_to_points,
    edt_map,
    fidt_map,
    field_max_distance,
    idt_map,
)
from wsi_edt.regions import grid_mask
from wsi_edt.training.datasets import Labelled, LabelledImage, PointArray

Target = Literal["edt", "idt", "fidt", "density"]

MAPS = ("positive", "negative", "nucleus")
FIELD_PX = 512  # max(DT) is taken over fields of this side, as the paper's images are
NEAR_PX = 14  # a partially labelled image is trusted this close to a point: about the radius of a cell's disc in the map
DENSITY_SIGMA_PX = 4.0  # neighbouring nuclei, 20 px apart, keep peaks of their own
IDT_REACH_PX = 99.0  # 1 / (99 + 1) is the last value that isn't cut: no kind of map but EDT reaches farther

FloatMaps = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class WindowTargets:
    """Targets of one window.

    Attributes
    ----------
    maps : (M, H, W) float32, 1 at a cell and falling to 0 around it, in the order of the names that were asked for
    weight : (M, H, W) float32, 1 where the labels say what the map should be, 0 elsewhere
    """

    maps: FloatMaps
    weight: FloatMaps


def image_max_distance(image: LabelledImage, *, model_mpp: float, clamp: bool = True) -> float:
    """The image's max(DT) in model px: the mean over its fields of about 512×512 that hold cells.

    `clamp` keeps each field's in 60 to 150 px; without it an image of one field has the paper's own. Only the box
    around a region counts: beyond it nobody looked for cells.
    """
    factor = image.mpp / model_mpp
    height, width = image.pixels.shape[:2]
    left, top, right, bottom = (
        round(side * factor)
        for side in ((0, 0, width, height) if image.region is None else image.region.bounds)
    )
    points = image.points * factor - (left, top)
    found = []
    for x, field_width in _sides(max(1, right - left)):
        for y, field_height in _sides(max(1, bottom - top)):
            inside = Window(x, y, field_width, field_height).contains(points[:, 0], points[:, 1])
            if inside.any():
                distance = field_max_distance(points[inside] - (x, y), (field_height, field_width))
                found.append(clamp_max_distance(distance) if clamp else max(distance, 1.0))
    # Without cells the maps are 0, whatever this is.
    return float(np.mean(found)) if found else clamp_max_distance(np.inf)


def _sides(length_px: int) -> list[tuple[int, int]]:
    """(first px, px) of equal parts of about `FIELD_PX`."""
    edges = np.linspace(0, length_px, max(1, round(length_px / FIELD_PX)) + 1).round().astype(int).tolist()
    return [(first, last - first) for first, last in itertools.pairwise(edges)]


def window_targets(
    image: LabelledImage,
    window: Window,
    *,
    mpp: float,
    max_distance_px: float,
    names: tuple[str, ...] = MAPS,
    target: Target = "edt",
) -> WindowTargets:
    """Targets of a window in px of `mpp` µm. Points outside the window count: a crop never changes its target.

    Parameters
    ----------
    image : the labelled image
    window : may reach beyond the image
    mpp : µm per px of the window
    max_distance_px : of the image, see `image_max_distance`; for EDT maps
    names : the maps, of `MAPS`, in the order wanted; "nucleus" has the nuclei of every class
    target : the kind of map. Density maps are scaled so that a lone cell's peak is 1: of unit mass it would be 0.01, and
        its squared error lost in rounding
    """
    shape = (window.height, window.width)
    points = image.points * (image.mpp / mpp) - (window.x, window.y)
    reach_px = max(max_distance_px, IDT_REACH_PX + 1)
    near = ((points > -reach_px) & (points < np.array(shape[::-1]) + reach_px)).all(axis=1)
    points, class_id = points[near], image.class_id[near]
    which = {
        "positive": class_id == CellClass.POSITIVE,
        "negative": class_id == CellClass.NEGATIVE,
        "nucleus": np.ones(len(points), np.bool_),
    }
    extents = {"positive": image.classes, "negative": image.classes, "nucleus": image.nuclei}
    region = _region_mask(image, window, mpp)
    weights = {
        extent: region & _trusted(extent, points, shape) for extent in {extents[name] for name in names}
    }
    return WindowTargets(
        np.stack([_map(points[which[name]], shape, target, max_distance_px) for name in names]),
        np.stack([weights[extents[name]] for name in names]).astype(np.float32),
    )


def _map(points: PointArray, shape: tuple[int, int], target: Target, max_distance_px: float) -> FloatMaps:
    if target == "edt":
        return edt_map(points, shape, max_distance_px=max_distance_px, outside="count")
    if target == "idt":
        return idt_map(points, shape, outside="count")
    if target == "fidt":
        return fidt_map(points, shape, outside="count")
    density = density_map(points, shape, sigma_px=DENSITY_SIGMA_PX, outside="count")
    return density * np.float32(2 * np.pi * DENSITY_SIGMA_PX**2)


def _trusted(extent: Labelled, points: PointArray, shape: tuple[int, int]) -> BoolArray:
    """Where a missing point means that nothing is there, as far as points say: (H, W)."""
    if extent is not Labelled.NEAR_POINTS:
        return np.full(shape, extent is Labelled.EVERYWHERE)
    # A hair more than the radius, so that a px at just that distance is near.
    return distance_to_points(points, shape, limit_px=NEAR_PX + 1, outside="count") <= NEAR_PX + 1e-3


def _region_mask(image: LabelledImage, window: Window, mpp: float) -> BoolArray:
    """The px whose centres lie in the image's region, where it has one: (H, W)."""
    if image.region is None:
        return np.ones((window.height, window.width), np.bool_)
    x, y = (
        pixel_centers(np.arange(first, last)) * (mpp / image.mpp)
        for first, last in ((window.x, window.right), (window.y, window.bottom))
    )
    return grid_mask(image.region, x, y)
