"""Where a part of a slide lies on a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from wsi_edt.geometry import FloatArray, Scale, Window
from wsi_edt.report.heat_maps import FloatArray as Shares
from wsi_edt.slides.tissue import UNIT_PX

WIDTH, HEIGHT = 520.0, 390.0  # of the room that a map has on its figure
_ROOM_BELOW = 380.0  # that a scale bar and a map's colours need
_MARGIN = 0.04  # around what is shown, in proportion to its longer side
_LEAST_SIDE_UM = 100.0
_BAR_LENGTHS_UM = tuple(factor * 10**power for power in range(6) for factor in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of a round length."""

    length: float
    label: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A part of a slide on a figure of `WIDTH` units, whose upper left corner is the picture's.

    Attributes
    ----------
    view : the part, level-0 px
    width, height : of its picture on the figure
    slide_mpp : µm per level-0 px
    """

    view: Window
    width: float
    height: float
    slide_mpp: float

    @classmethod
    def of(cls, view: Window, *, slide_mpp: float) -> Frame:
        """The frame in which that part of a slide is as large as there is room."""
        factor = min(WIDTH / view.width, HEIGHT / view.height)
        return cls(view, view.width * factor, view.height * factor, slide_mpp)

    @property
    def right(self) -> float:
        """Where the colours below the picture end; below a narrow one they need more room."""
        return max(self.width, _ROOM_BELOW)

    @property
    def units_per_px(self) -> float:
        """Figure units per level-0 px."""
        return self.width / self.view.width

    def x(self, level_0: float) -> float:
        """A level-0 x on the figure."""
        return (level_0 - self.view.x) * self.units_per_px

    def y(self, level_0: float) -> float:
        """A level-0 y on the figure."""
        return (level_0 - self.view.y) * self.units_per_px

    def scale_bar(self, most: float) -> ScaleBar:
        """The longest bar of at most that many figure units."""
        return scale_bar(self.units_per_px / self.slide_mpp, most)


def scale_bar(units_per_um: float, most: float) -> ScaleBar:
    """The longest bar of a round length and at most `most` units."""
    length_um = max(
        (length for length in _BAR_LENGTHS_UM if length * units_per_um <= most), default=_BAR_LENGTHS_UM[0]
    )
    label = f"{length_um} µm" if length_um < 1000 else f"{length_um // 1000} mm"
    return ScaleBar(length_um * units_per_um, label)


def view_of(
    tissue: Shares, shapes: Sequence[shapely.Geometry], extent: tuple[int, int], scale: Scale
) -> Window:
    """The part of a slide that holds its tissue and these shapes, with a margin, level-0 px; all of it without any.

    Parameters
    ----------
    tissue : how much of each unit of 32 × 32 model px is tissue, (rows, columns)
    shapes : level-0 px
    extent : (width, height) of the slide, model px
    """
    whole = scale.to_l0(np.array([0, 0, *extent]))
    boxes = [np.array(shape.bounds) for shape in shapes if not shape.is_empty]
    rows, columns = (np.flatnonzero(tissue.any(axis=axis)) for axis in (1, 0))
    if len(rows):
        units = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        boxes.append(scale.to_l0(units * UNIT_PX))
    if not boxes:
        return _window(whole)
    stacked = np.array(boxes)
    left_top, right_bottom = stacked[:, :2].min(axis=0), stacked[:, 2:].max(axis=0)
    side = max(float((right_bottom - left_top).max()), _LEAST_SIDE_UM / scale.slide_mpp)
    middle, reach = (left_top + right_bottom) / 2, (right_bottom - left_top) / 2 + _MARGIN * side
    box = np.concatenate([middle - reach, middle + reach])
    return _window(np.clip(box, np.tile(whole[:2], 2), np.tile(whole[2:], 2)))


def _window(box: FloatArray) -> Window:
    left, top, right, bottom = np.concatenate([np.floor(box[:2]), np.ceil(box[2:])]).astype(int).tolist()
    return Window(left, top, max(right - left, 1), max(bottom - top, 1))
