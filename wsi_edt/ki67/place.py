"""Where a field of a stated shape and size lies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from shapely import Polygon

from wsi_edt.geometry import FloatArray

_QUARTER_SEGMENTS = 32  # of a drawn circle: its area is 0.02 % short


class Shape(StrEnum):
    """The outline of a field."""

    DISC = "disc"
    SQUARE = "square"


@dataclass(frozen=True, slots=True)
class Place:
    """A disc or an upright square on the slide.

    Attributes
    ----------
    x, y : its centre, level-0 px
    size_px : its diameter or side, level-0 px
    size_um : the same in µm
    """

    shape: Shape
    x: float
    y: float
    size_px: float
    size_um: float

    def contains(self, x: FloatArray, y: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """For each point (x, y), level-0 px, whether it lies inside or on the edge: (N,) bool."""
        reach = self.size_px / 2
        inside = np.abs(y - self.y) <= reach
        near = np.flatnonzero(inside)  # few of a slide's cells: the others need not be looked at twice
        dx, dy = x[near] - self.x, y[near] - self.y
        if self.shape is Shape.SQUARE:
            inside[near] = np.abs(dx) <= reach
        else:
            inside[near] = dx * dx + dy * dy <= reach * reach
        return inside

    def polygon(self) -> Polygon:
        """The outline as a polygon, level-0 px."""
        reach = self.size_px / 2
        if self.shape is Shape.SQUARE:
            return shapely.box(self.x - reach, self.y - reach, self.x + reach, self.y + reach)
        return shapely.Point(self.x, self.y).buffer(reach, quad_segs=_QUARTER_SEGMENTS)
