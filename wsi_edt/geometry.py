"""Frames and units: level-0 px, model px and µm. Every conversion between them lives here.

A point is (x, y), continuous: pixel (0, 0) covers [0, 1) × [0, 1) and its centre is (0.5, 0.5). Two frames share
that origin, so that going from one to the other is one factor. A window is half-open, in integer px of its frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open rectangle [x, x + width) × [y, y + height) in integer px of one frame; it may lie outside the slide."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        assert self.width > 0 and self.height > 0, f"an empty window: {self}"

    @property
    def right(self) -> int:
        """The first column beyond the window."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row beyond the window."""
        return self.y + self.height

    def grown(self, margin_px: int) -> Window:
        """The window with `margin_px` more on each side."""
        return Window(
            self.x - margin_px, self.y - margin_px, self.width + 2 * margin_px, self.height + 2 * margin_px
        )

    def contains(self, x: npt.NDArray[np.number], y: npt.NDArray[np.number]) -> npt.NDArray[np.bool_]:
        """For each point (x, y), whether it lies in the half-open window: (N,) bool."""
        return (x >= self.x) & (x < self.right) & (y >= self.y) & (y < self.bottom)


@dataclass(frozen=True, slots=True)
class Scale:
    """Level-0 px of one slide against model px: `slide_mpp` µm per level-0 px, `model_mpp` µm per model px."""

    slide_mpp: float
    model_mpp: float

    def __post_init__(self) -> None:
        assert self.slide_mpp > 0 and self.model_mpp > 0, f"µm/px must be positive: {self}"

    @property
    def l0_per_model_px(self) -> float:
        """Level-0 px that one model px spans."""
        return self.model_mpp / self.slide_mpp

    def to_l0(self, model_px: FloatArray) -> FloatArray:
        """Continuous level-0 coordinates of continuous model-px coordinates, any shape."""
        return np.asarray(model_px, dtype=np.float64) * self.l0_per_model_px

    def to_model(self, l0_px: FloatArray) -> FloatArray:
        """Continuous model-px coordinates of continuous level-0 coordinates, any shape."""
        return np.asarray(l0_px, dtype=np.float64) / self.l0_per_model_px

    def model_extent(self, width_l0: int, height_l0: int) -> tuple[int, int]:
        """The (width, height) in whole model px that cover a slide of that many level-0 px."""
        # A millionth of a px is rounding: it keeps 512.000000001 from becoming 513.
        width, height = (int(np.ceil(side / self.l0_per_model_px - 1e-6)) for side in (width_l0, height_l0))
        return max(width, 1), max(height, 1)


def pixel_centers(indices: npt.NDArray[np.integer]) -> FloatArray:
    """Continuous coordinates of the centres of pixels given by index (column or row): index + 0.5."""
    return indices.astype(np.float64) + 0.5


def area_mm2(pixels: float, px_um: float) -> float:
    """The area in mm² of that many pixels of `px_um` µm a side."""
    return pixels * (px_um / 1000.0) ** 2
