"""Finds tissue on an overview, so that glass costs nothing and holds no cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsi_edt.geometry import Window, area_mm2

BoolArray = npt.NDArray[np.bool_]

UNIT_PX = 32  # side of one mask px in model px: the grid that tiles lie on


@dataclass(frozen=True, slots=True, eq=False)
class TissueMask:
    """Where a slide holds tissue, in units of 32 × 32 model px.

    Attributes
    ----------
    mask : (rows, columns) bool; unit (r, c) covers model px [32 c, 32 c + 32) × [32 r, 32 r + 32)
    mpp : µm per mask px: 32 × the model's µm/px
    extent : (width, height) of the slide in model px; a unit at the edge may reach beyond it
    """

    mask: BoolArray
    mpp: float
    extent: tuple[int, int]

    def __post_init__(self) -> None:
        assert self.mask.dtype == np.bool_ and self.mask.shape == _units(self.extent), (
            self.mask.shape,
            self.extent,
        )

    @classmethod
    def everything(cls, extent: tuple[int, int], *, model_mpp: float) -> TissueMask:
        """A mask that keeps the whole slide of that (width, height) in model px."""
        return cls(np.ones(_units(extent), dtype=np.bool_), UNIT_PX * model_mpp, extent)

    def holds(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> BoolArray:
        """For each point (x, y) in continuous model px, whether it lies on tissue and on the slide: (N,) bool."""
        on_slide = (x >= 0) & (y >= 0) & (x < self.extent[0]) & (y < self.extent[1])
        column = np.clip(np.floor(x / UNIT_PX).astype(np.int64), 0, self.mask.shape[1] - 1)
        row = np.clip(np.floor(y / UNIT_PX).astype(np.int64), 0, self.mask.shape[0] - 1)
        held: BoolArray = self.mask[row, column] & on_slide
        return held

    def touches(self, window: Window) -> bool:
        """Whether a window in model px holds any tissue."""
        columns = slice(max(window.x // UNIT_PX, 0), max(-(-window.right // UNIT_PX), 0))
        rows = slice(max(window.y // UNIT_PX, 0), max(-(-window.bottom // UNIT_PX), 0))
        return bool(self.mask[rows, columns].any())

    @property
    def area_mm2(self) -> float:
        """The tissue's area in mm², without what reaches beyond the slide."""
        width, height = self.extent
        columns, rows = (
            np.minimum(UNIT_PX, side - UNIT_PX * np.arange(count))
            for side, count in ((width, self.mask.shape[1]), (height, self.mask.shape[0]))
        )
        return area_mm2(float(rows @ self.mask @ columns), self.mpp / UNIT_PX)


def _units(extent: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of the mask that covers a slide of that (width, height) in model px."""
    return -(-extent[1] // UNIT_PX), -(-extent[0] // UNIT_PX)
