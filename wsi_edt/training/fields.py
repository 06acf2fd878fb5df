"""Labelled images ready for crops: in memory at the model's µm/px, on the device that trains."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsi_edt.datasets import Labelled, LabelledImage, PointArray
from wsi_edt.geometry import Window, pixel_centers
from wsi_edt.maps import clamp_max_distance, field_max_distance
from wsi_edt.qupath.regions import grid_mask
from wsi_edt.slides.pixels import WHITE

OVERHANG = 0.1  # of a crop: how far it may reach beyond its image, where it is white
PART_PX = 512  # max(DT) is taken over parts of this side, as the paper's images are
PLACES = 4096  # of a region, drawn once, that crops are taken around

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A labelled image at the model's µm/px with white around it.

    Attributes
    ----------
    dataset : the name of its set
    pixels : (H + 2 · margin, W + 2 · margin, 3) uint8 RGB
    labelled : (H + 2 · margin, W + 2 · margin) uint8, 255 where labels hold and 0 elsewhere; None: they hold everywhere
    margin_px : of white on each side
    width, height : W and H, px
    points : (N, 2) float64 (x, y), px from the image's corner
    class_id : (N,) uint8 `CellClass`
    classes, nuclei : see `LabelledImage`
    max_distance_px : max(DT), see `image_max_distance`
    places : (P, 2) that crops are taken around; if empty, anywhere
    held : (left, top, right, bottom) px, beyond which crops reach by `OVERHANG` of their side at most
    labelled_px : how many px have labels
    """

    dataset: str
    pixels: Tensor
    labelled: Tensor | None
    margin_px: int
    width: int
    height: int
    points: PointArray
    class_id: npt.NDArray[np.uint8]
    classes: Labelled
    nuclei: Labelled
    max_distance_px: float
    places: PointArray
    held: tuple[float, float, float, float]
    labelled_px: float


def field_of(
    image: LabelledImage, *, model_mpp: float, largest_px: int, clamp: bool = True, device: str = "cpu"
) -> Field:
    """The image, ready for crops.

    Parameters
    ----------
    image : as its set has it
    model_mpp : µm/px that the network sees
    largest_px : side of the largest crop, px of the field
    clamp : whether max(DT) is kept within 60 to 150 px
    device : that holds the pixels
    """
    factor = image.image_mpp / model_mpp
    width, height = image.size_at(model_mpp)
    margin = math.ceil(OVERHANG * largest_px) + max(0, largest_px - min(width, height)) + 1
    window = Window(-margin, -margin, width + 2 * margin, height + 2 * margin)
    pixels = np.full((window.height, window.width, 3), WHITE, np.uint8)
    inner = slice(margin, margin + height), slice(margin, margin + width)
    pixels[inner] = image.window_at(model_mpp)
    mask = _region_mask(image, window, model_mpp)
    held = (0.0, 0.0, float(width), float(height))
    if image.region is not None:
        held = _scaled_bounds(image, factor)
    return Field(
        dataset=image.dataset,
        pixels=torch.from_numpy(pixels).to(device),
        labelled=None if mask is None else torch.from_numpy(mask * np.uint8(255)).to(device),
        margin_px=margin,
        width=width,
        height=height,
        points=image.points * factor,
        class_id=image.class_id,
        classes=image.classes,
        nuclei=image.nuclei,
        max_distance_px=image_max_distance(image, model_mpp=model_mpp, clamp=clamp),
        places=_places(image, mask, factor, margin),
        held=held,
        labelled_px=float(width * height if image.region is None else image.region.area * factor**2),
    )


def chances(fields: Sequence[Field], weights: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """How likely each field is drawn: its set by the set's weight, within the set by its labelled area; sums to 1."""
    areas = {name: sum(field.labelled_px for field in fields if field.dataset == name) for name in weights}
    total = sum(weights.values())
    return np.array(
        [weights[field.dataset] / total * field.labelled_px / areas[field.dataset] for field in fields]
    )


def image_max_distance(image: LabelledImage, *, model_mpp: float, clamp: bool = True) -> float:
    """The image's max(DT) in model px: the mean over its parts of about 512×512 that hold cells.

    `clamp` keeps each part's in 60 to 150 px; without it an image of one part has the paper's own. Only the box
    around a region counts: beyond it nobody looked for cells.
    """
    factor = image.image_mpp / model_mpp
    height, width = image.pixels.shape[:2]
    bounds = (0, 0, width * factor, height * factor)
    left, top, right, bottom = map(round, bounds if image.region is None else _scaled_bounds(image, factor))
    points = image.points * factor - (left, top)
    found = []
    for x, part_width in _sides(max(1, right - left)):
        for y, part_height in _sides(max(1, bottom - top)):
            inside = Window(x, y, part_width, part_height).contains(points[:, 0], points[:, 1])
            if inside.any():
                distance = field_max_distance(points[inside] - (x, y), (part_height, part_width))
                found.append(clamp_max_distance(distance) if clamp else max(distance, 1.0))
    # Without cells the maps are 0, whatever its value.
    return float(np.mean(found)) if found else clamp_max_distance(np.inf)


def _sides(length_px: int) -> list[tuple[int, int]]:
    """(first px, px) of equal parts of about `PART_PX`."""
    edges = np.linspace(0, length_px, max(1, round(length_px / PART_PX)) + 1).round().astype(int).tolist()
    return [(first, last - first) for first, last in itertools.pairwise(edges)]


def _scaled_bounds(image: LabelledImage, factor: float) -> tuple[float, float, float, float]:
    assert image.region is not None
    left, top, right, bottom = (side * factor for side in image.region.bounds)
    return left, top, right, bottom


def _region_mask(image: LabelledImage, window: Window, mpp: float) -> BoolArray | None:
    """The px of `mpp` µm whose centres lie in the image's region, if it has one: (H, W)."""
    if image.region is None:
        return None
    x, y = (
        pixel_centers(np.arange(first, last)) * (mpp / image.image_mpp)
        for first, last in ((window.x, window.right), (window.y, window.bottom))
    )
    return grid_mask(image.region, x, y)


def _places(image: LabelledImage, mask: BoolArray | None, factor: float, margin: int) -> PointArray:
    """Where crops are taken: around the points if most of an image teaches nothing, else anywhere in its region."""
    if image.classes is Labelled.NEAR_POINTS and len(image.points):
        return image.points * factor
    if image.region is None or mask is None:
        return np.zeros((0, 2))
    rows, columns = np.nonzero(mask)
    if not len(rows):  # a sliver between px centres
        point = image.region.representative_point()
        return np.array([[point.x * factor, point.y * factor]])
    some = np.random.default_rng(0).integers(len(rows), size=PLACES)
    return pixel_centers(np.column_stack([columns[some], rows[some]]) - margin)
