"""A hotspot or a field as the slide shows it at full resolution, with its cells."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from wsi_edt.cells import CellClass, Cells
from wsi_edt.geometry import FloatArray, Window
from wsi_edt.ki67.place import Place, Shape
from wsi_edt.report.frame import ScaleBar, scale_bar
from wsi_edt.report.palette import CLASS_RGB, INK, ByteArray
from wsi_edt.report.pictures import jpeg
from wsi_edt.slides.protocol import Slide, required_mpp
from wsi_edt.slides.window import read_in_blocks

IntArray = npt.NDArray[np.int32]

SIDE_UM = 180.0  # of the most that a crop shows: 100 cells of a dense tumour
FINEST_MPP = 0.22  # what a 40× objective resolves: finer px are four times the bytes and show no more
_RADIUS_UM = 4.5  # of a nucleus
_ROOM = 1.06  # around a place that is shown whole
_LEAST_SIDE_PX = 16
_FINE = 4  # bits of a px that OpenCV draws by
_SQUARE = np.array([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]])  # in radii


@dataclass(frozen=True, slots=True)
class Crop:
    """A picture of a place.

    Attributes
    ----------
    picture : its address in the page
    side_um : how much of the slide it shows
    whole : whether that is the whole place
    bar : of the picture's width = 100
    """

    picture: Markup
    side_um: float
    whole: bool
    bar: ScaleBar


def crop_of(slide: Slide, place: Place, cells: Cells) -> Crop:
    """A place, with those of the cells (level-0 px) that lie in it; of a large one the part around their middle.

    Raises
    ------
    SlideError
        If the slide can't be read.
    """
    slide_mpp = required_mpp(slide)
    mpp = max(slide_mpp, FINEST_MPP)
    side_px = max(round(min(place.size_um * _ROOM, SIDE_UM) / mpp), _LEAST_SIDE_PX)
    per_px = mpp / slide_mpp
    inside = cells.select(place.contains(cells.x, cells.y))
    whole = place.size_um <= side_px * mpp
    middle = (place.x, place.y) if whole or not len(inside) else (np.median(inside.x), np.median(inside.y))
    left, top = (round(at / per_px - side_px / 2) for at in middle)
    window = Window(left, top, side_px, side_px)
    picture = read_in_blocks(slide, window, wanted_mpp=mpp)
    view = _View(window, per_px)
    near = inside.select(view.level_0(_RADIUS_UM / slide_mpp).contains(inside.x, inside.y))
    _draw_outline(picture, place, view)
    for kind in (CellClass.NUCLEUS, CellClass.NEGATIVE, CellClass.POSITIVE):  # the few above the many
        _draw_cells(picture, near.select(near.class_id == kind), kind, view, radius_px=_RADIUS_UM / mpp)
    side_um = side_px * mpp
    return Crop(jpeg(picture), side_um, whole, scale_bar(100 / side_um, 40))


@dataclass(frozen=True, slots=True)
class _View:
    """What a crop shows: its px, of which each is `per_px` level-0 px wide."""

    window: Window
    per_px: float

    def level_0(self, margin: float) -> Window:
        """The same in level-0 px, and so much around it."""
        left, top = (int(side * self.per_px - margin) for side in (self.window.x, self.window.y))
        side = int(self.window.width * self.per_px + 2 * margin) + 2
        return Window(left, top, side, side)

    def drawn(self, x: FloatArray, y: FloatArray) -> IntArray:
        """Level-0 points as OpenCV's own, which are those of a px's centre, in 16ths: (N, 2)."""
        start = np.array([self.window.x, self.window.y]) + 0.5
        return np.rint((np.stack([x, y], axis=1) / self.per_px - start) * (1 << _FINE)).astype(np.int32)


def _draw_cells(picture: ByteArray, cells: Cells, kind: CellClass, view: _View, *, radius_px: float) -> None:
    """Draw cells of one class, in place: a ring around a positive one, a square around another."""
    colour = CLASS_RGB[kind]
    width = max(round(radius_px / 9), 1)
    centers = view.drawn(cells.x, cells.y)
    radius = round(radius_px * (1 << _FINE))
    if kind is CellClass.POSITIVE:
        for center in centers.tolist():
            cv2.circle(picture, center, radius, colour, width + 1, cv2.LINE_AA, _FINE)
    elif len(cells):
        squares = centers[:, np.newaxis] + np.rint(_SQUARE * radius).astype(np.int32)
        cv2.polylines(picture, list(squares), True, colour, width, cv2.LINE_AA, _FINE)


def _draw_outline(picture: ByteArray, place: Place, view: _View) -> None:
    """Draw the place's own edge, in place."""
    middle = view.drawn(np.array([place.x]), np.array([place.y]))[0]
    reach = round(place.size_px / 2 / view.per_px * (1 << _FINE))
    for colour, width in (((255, 255, 255), 5), (INK, 2)):
        if place.shape is Shape.DISC:
            cv2.circle(picture, middle.tolist(), reach, colour, width, cv2.LINE_AA, _FINE)
        else:
            corners = (middle - reach).tolist(), (middle + reach).tolist()
            cv2.rectangle(picture, *corners, colour, width, cv2.LINE_AA, _FINE)
