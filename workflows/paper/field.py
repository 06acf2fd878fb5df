"""The tile of the user's data that the figures show, and the parts of it that they show closely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass
from wsi_edt.datasets import LabelledImage
from wsi_edt.errors import UsageError
from wsi_edt.geometry import Window
from wsi_edt.maps import field_max_distance

FIELD_PX = 512  # the paper's images
STEP_PX = 8  # of the search for a part
PALE_SHARE = 0.25  # of a field's nuclei

Points = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
T = TypeVar("T", np.float32, np.float64, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The middle 512 × 512 px of a labelled image, at the model's µm/px.

    Attributes
    ----------
    name : of the image
    pixels : (512, 512, 3) uint8 RGB
    points : (N, 2) float64 (x, y), px of the field
    positive : (N,) bool
    mpp : µm/px
    """

    name: str
    pixels: Pixels
    points: Points
    positive: npt.NDArray[np.bool_]
    mpp: float

    @property
    def max_distance_px(self) -> float:
        """max(DT) of the field, not clamped: as in the paper."""
        return field_max_distance(self.points, (FIELD_PX, FIELD_PX))


@dataclass(frozen=True, slots=True)
class Part:
    """A square part of a field: its first column and row, and its side, px."""

    x: int
    y: int
    side: int

    def cut(self, values: npt.NDArray[T], *, scale: int = 1) -> npt.NDArray[T]:
        """The part of (H, W, …) values, `scale` px of the field to each of theirs."""
        rows = slice(self.y // scale, (self.y + self.side) // scale)
        return values[rows, self.x // scale : (self.x + self.side) // scale]

    def inside(self, points: Points) -> npt.NDArray[np.bool_]:
        """(N,) whether each point lies in it."""
        return np.asarray(
            np.all((points >= (self.x, self.y)) & (points < (self.x + self.side, self.y + self.side)), 1)
        )

    def moved(self, points: Points) -> Points:
        """The points within it, in its own px."""
        return points[self.inside(points)] - (self.x, self.y)


def middle_field(image: LabelledImage, mpp: float) -> Field:
    """The middle of an image; white beyond one that is smaller."""
    width, height = image.size_at(mpp)
    window = Window((width - FIELD_PX) // 2, (height - FIELD_PX) // 2, FIELD_PX, FIELD_PX)
    cells = image.cells_at(mpp)
    points = np.column_stack([cells.x - window.x, cells.y - window.y])
    inside = Part(0, 0, FIELD_PX).inside(points)
    return Field(
        image.path.name,
        image.window_at(mpp, window),
        points[inside],
        cells.class_id[inside] == CellClass.POSITIVE,
        mpp,
    )


def chosen_image(images: list[LabelledImage], name: str | None) -> LabelledImage:
    """The image of that file name, or the one with the most points.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name is None:
        return max(images, key=lambda image: len(image.points))
    named = [image for image in images if image.path.name == name]
    if not named:
        known = ", ".join(image.path.name for image in images[:10]) + (", …" if len(images) > 10 else "")
        raise UsageError(f"there is no image {name!r} in the set", remedy=f"choose one of {known}")
    return named[0]


def densest_part(points: Points, side: int) -> Part:
    """The part of a field that holds the most points; the first such one in reading order."""
    return _best(side, lambda part: int(part.inside(points).sum()))


def pale_nuclei(field: Field, *, share: float = PALE_SHARE) -> npt.NDArray[np.bool_]:
    """(N,) which nuclei are the palest of the field: the share with the least optical density in 5 × 5 px there."""
    density = -np.log10((field.pixels.astype(np.float64) + 1) / 256).mean(axis=2)
    padded = np.pad(density, 2, mode="edge")
    columns, rows = np.floor(field.points).astype(int).T
    stained = np.array(
        [padded[row : row + 5, column : column + 5].mean() for row, column in zip(rows, columns, strict=True)]
    )
    if not len(stained):
        return np.zeros(0, bool)
    return np.asarray(stained <= np.quantile(stained, share))


def separation(
    features: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_], ring: npt.NDArray[np.bool_]
) -> Points:
    """How far each channel's mean at nuclei lies from that around them, in standard deviations of both together.

    Parameters
    ----------
    features : (C, H, W)
    inside, ring : (H, W), px at and around nuclei

    Returns
    -------
    (C,) float64, 0 or more: Cohen's d
    """
    at, around = features[:, inside].astype(np.float64), features[:, ring].astype(np.float64)
    spread = np.sqrt((at.var(axis=1) + around.var(axis=1)) / 2)
    return np.asarray(np.abs(at.mean(axis=1) - around.mean(axis=1)) / np.maximum(spread, 1e-12))


def discs(points: Points, shape: tuple[int, int], radius: float) -> npt.NDArray[np.bool_]:
    """(H, W) px whose middle is at most `radius` px from a point."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    found = np.zeros(shape, bool)
    for x, y in points.tolist():
        found |= (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    return found


def _best(side: int, score: Callable[[Part], int]) -> Part:
    places = range(0, FIELD_PX - side + 1, STEP_PX)
    return max((Part(x, y, side) for y in places for x in places), key=score)
