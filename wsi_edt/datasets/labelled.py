"""What a labelled image is, whichever set it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
from shapely.affinity import scale

from wsi_edt.cells import CellClass, Cells
from wsi_edt.geometry import Window
from wsi_edt.qupath.regions import Polygons
from wsi_edt.slides import ImageSlide, read_window

ImageArray = npt.NDArray[np.uint8]
PointArray = npt.NDArray[np.float64]
ClassArray = npt.NDArray[np.uint8]


class Labelled(StrEnum):
    """Where the lack of a point means that nothing is there."""

    EVERYWHERE = "everywhere"
    NEAR_POINTS = "near points"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """One image and its points.

    Attributes
    ----------
    path : the image's key: its file, or a path that stands for an image inside a file (``images.npy#17``)
    dataset : the name of its set
    case : images of one case (a patient, a slide) share a name within their set
    pixels : (H, W, 3) uint8 RGB
    image_mpp : µm/px of `pixels`
    points : (N, 2) float64 (x, y), continuous px of `pixels`
    class_id : (N,) uint8 `CellClass`; NUCLEUS is a nucleus of neither class (a lymphocyte in shidc) or of no known class
    classes : where a missing point means "no positive or negative tumour nucleus here"
    nuclei : where a missing point means "no nucleus of any kind here"
    region : in px of `pixels`, where labels hold; None: in the whole image
    """

    path: Path
    dataset: str
    case: str
    pixels: ImageArray
    image_mpp: float
    points: PointArray
    class_id: ClassArray
    classes: Labelled
    nuclei: Labelled
    region: Polygons | None = None

    def size_at(self, wanted_mpp: float) -> tuple[int, int]:
        """Its (width, height) in px of `wanted_mpp` µm."""
        height, width = (max(1, round(side * self.image_mpp / wanted_mpp)) for side in self.pixels.shape[:2])
        return width, height

    def window_at(self, wanted_mpp: float, window: Window | None = None) -> ImageArray:
        """Its pixels at `wanted_mpp` µm/px, (H, W, 3) uint8 RGB: all, or those of a window, white beyond the image."""
        window = window or Window(0, 0, *self.size_at(wanted_mpp))
        return read_window(ImageSlide(self.path, self.pixels, self.image_mpp), window, wanted_mpp=wanted_mpp)

    def cells_at(self, wanted_mpp: float) -> Cells:
        """Its points as cells, in px of `wanted_mpp` µm."""
        x, y = (self.points * (self.image_mpp / wanted_mpp)).T
        return Cells(x.copy(), y.copy(), np.ones(len(x), np.float32), self.class_id)

    def region_at(self, wanted_mpp: float) -> Polygons | None:
        """Its region in px of `wanted_mpp` µm."""
        if self.region is None:
            return None
        factor = self.image_mpp / wanted_mpp
        return scale(self.region, factor, factor, origin=(0, 0))


def by_set(images: Iterable[LabelledImage]) -> dict[str, list[LabelledImage]]:
    """The images by the names of their sets, in the order in which the sets first occur."""
    found: dict[str, list[LabelledImage]] = {}
    for image in images:
        found.setdefault(image.dataset, []).append(image)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """An image as a reader finds it, before the facts of its set are added.

    Attributes
    ----------
    path, case, points, class_id, region : as in `LabelledImage`
    pixels : (H, W, 3) uint8 RGB; None: `path` is an image file to decode
    image_mpp : the image's own µm/px; None: that of its set
    annotations : the files that hold the points, in the points' order, with how many each holds
    """

    path: Path
    case: str
    points: PointArray
    class_id: ClassArray
    pixels: ImageArray | None = None
    image_mpp: float | None = None
    region: Polygons | None = None
    annotations: tuple[tuple[Path, int], ...] = ()

    def annotation_of(self, place: int) -> tuple[Path, int]:
        """The file that holds a point, and the point's number in it, from 1."""
        before = 0
        for path, count in self.annotations:
            if place < before + count:
                return path, place - before + 1
            before += count
        return self.path, place + 1


def from_indices(indices: npt.ArrayLike) -> PointArray:
    """Points given as integer pixel indices (x, y), as continuous coordinates: (N, 2).

    Raises
    ------
    ValueError
        If they aren't (N, 2).
    """
    return as_points(indices) + 0.5


def as_points(coordinates: npt.ArrayLike) -> PointArray:
    """Numbers as (N, 2) float64; an empty array of any shape becomes (0, 2).

    Raises
    ------
    ValueError
        If they aren't numbers, or not (N, 2).
    """
    points = np.asarray(coordinates, dtype=np.float64)
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points must be (N, 2), one (x, y) a row, not {points.shape}")
    return points


def of_no_class(points: PointArray) -> ClassArray:
    """Classes for points without any: (N,) NUCLEUS."""
    return np.full(len(points), CellClass.NUCLEUS, np.uint8)
