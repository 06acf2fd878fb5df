"""What the network should say for a window of a labelled image, and where it is asked."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass
from wsi_edt.geometry import Window
from wsi_edt.maps import clamp_max_distance, distance_to_points, edt_map, field_max_distance
from wsi_edt.training.datasets import Labelled, LabelledImage, PointArray

MAPS = ("positive", "negative", "nucleus")
FIELD_PX = 512  # max(DT) is taken over fields of this side, as the paper's images are
NEAR_PX = 14  # a partially labelled image is trusted this close to a point: about the radius of a cell's disc in the map

FloatMaps = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WindowTargets:
    """Targets of one window.

    Attributes
    ----------
    maps : (3, H, W) float32 in [0, 1], in the order of `MAPS`
    weight : (3, H, W) float32, 1 where the labels say what the map should be, 0 elsewhere
    """

    maps: FloatMaps
    weight: FloatMaps


def image_max_distance(image: LabelledImage, *, model_mpp: float) -> float:
    """The image's max(DT) in model px: the mean over its fields of about 512×512 that hold cells, each clamped."""
    factor = image.mpp / model_mpp
    points = image.points * factor
    height, width = (max(1, round(side * factor)) for side in image.pixels.shape[:2])
    fields = [_sides(width), _sides(height)]
    found = []
    for x, field_width in fields[0]:
        for y, field_height in fields[1]:
            inside = Window(x, y, field_width, field_height).contains(points[:, 0], points[:, 1])
            if inside.any():
                distance = field_max_distance(points[inside] - (x, y), (field_height, field_width))
                found.append(clamp_max_distance(distance))
    return float(np.mean(found)) if found else clamp_max_distance(np.inf)


def _sides(length_px: int) -> list[tuple[int, int]]:
    """(first px, px) of equal parts of about `FIELD_PX`."""
    edges = np.linspace(0, length_px, max(1, round(length_px / FIELD_PX)) + 1).round().astype(int).tolist()
    return [(first, last - first) for first, last in itertools.pairwise(edges)]


def window_targets(
    image: LabelledImage, window: Window, *, mpp: float, max_distance_px: float
) -> WindowTargets:
    """Targets of a window in px of `mpp` µm. Points outside the window count: a crop never changes its target."""
    shape = (window.height, window.width)
    points = image.points * (image.mpp / mpp) - (window.x, window.y)
    near = (points > -max_distance_px).all(axis=1) & (points < np.array(shape[::-1]) + max_distance_px).all(
        axis=1
    )
    points, class_id = points[near], image.class_id[near]

    def target(which: PointArray) -> FloatMaps:
        return edt_map(which, shape, max_distance_px=max_distance_px, outside="count")

    maps = np.stack(
        [
            target(points[class_id == CellClass.POSITIVE]),
            target(points[class_id == CellClass.NEGATIVE]),
            target(points),
        ]
    )
    weight = np.empty_like(maps)
    # A hair more than the radius, so that a px at just that distance is near.
    near_points = distance_to_points(points, shape, limit_px=NEAR_PX + 1, outside="count") <= NEAR_PX + 1e-3
    by_extent = {
        Labelled.EVERYWHERE: np.ones(shape, bool),
        Labelled.NEAR_POINTS: near_points,
        Labelled.NOWHERE: np.zeros(shape, bool),
    }
    weight[:2] = by_extent[image.facts.classes]
    weight[2] = by_extent[image.facts.nuclei]
    return WindowTargets(maps, weight)
