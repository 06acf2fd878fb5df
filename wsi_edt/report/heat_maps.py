"""The index and the density of cells around each place of a slide, smoothed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass, Cells
from wsi_edt.geometry import Scale, Window, pixel_centers
from wsi_edt.slides.tissue import UNIT_PX

FloatArray = npt.NDArray[np.float32]

LONGER_SIDE_PX = 320  # of a map: a page shows it at about 500, and nothing on it is finer than its smoothing
LEAST_CELLS = 20  # around a place, for an index to be shown there
_LEAST_SIGMA_UM = 50.0  # holds some 100 cells of a dense tumour: its index is within 5 points
_SIGMAS_A_SIDE = 60  # a large slide is smoothed more: a page shows no more detail


@dataclass(frozen=True, slots=True, eq=False)
class HeatMaps:
    """What lies around each place.

    Attributes
    ----------
    index_percent : (H, W) float32; NaN without tissue, and with fewer than `LEAST_CELLS` cells around
    per_mm2 : cells per mm² of tissue, (H, W) float32; NaN without tissue
    sigma_um : the standard deviation of the Gaussian that both are smoothed by
    """

    index_percent: FloatArray
    per_mm2: FloatArray
    sigma_um: float


def smooth(cells: Cells, tissue: FloatArray, view: Window, scale: Scale) -> HeatMaps:
    """The maps of a part of a slide.

    Parameters
    ----------
    cells : level-0 px
    tissue : how much of each unit of 32 × 32 model px is tissue that counts, (rows, columns) in [0, 1]
    view : the part, level-0 px
    scale : the slide's
    """
    px_l0 = max(view.width, view.height) / LONGER_SIDE_PX
    size = (max(round(view.width / px_l0), 1), max(round(view.height / px_l0), 1))
    px_um = px_l0 * scale.slide_mpp
    sigma_um = max(_LEAST_SIGMA_UM, max(view.width, view.height) * scale.slide_mpp / _SIGMAS_A_SIDE)
    sigma_px = sigma_um / px_um
    classed = cells.class_id != CellClass.NUCLEUS
    positive = _blurred(_counted(cells, view, size, cells.class_id == CellClass.POSITIVE), sigma_px)
    with_class = _blurred(_counted(cells, view, size, classed), sigma_px)
    without = _blurred(_counted(cells, view, size, ~classed), sigma_px) if not classed.all() else 0
    held = _sampled(tissue, view, size, scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        index = 100 * positive / with_class
        density = (with_class + without) / (_blurred(held, sigma_px) * np.float32((px_um / 1000) ** 2))
    around = with_class * np.float32(
        4 * np.pi * sigma_px**2
    )  # a Gaussian weighs as many cells as this area holds
    index[(held < 0.5) | (around < LEAST_CELLS)] = np.nan
    density[held < 0.5] = np.nan
    return HeatMaps(np.clip(index, 0, 100), density, sigma_um)


def _counted(cells: Cells, view: Window, size: tuple[int, int], which: npt.NDArray[np.bool_]) -> FloatArray:
    """How many of the cells lie in each px of a map: (H, W)."""
    width, height = size
    column = np.floor((cells.x[which] - view.x) * (width / view.width)).astype(np.int32)
    row = np.floor((cells.y[which] - view.y) * (height / view.height)).astype(np.int32)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    counts = np.bincount(row[inside] * width + column[inside], minlength=width * height)
    return counts.reshape(height, width).astype(np.float32)


def _sampled(tissue: FloatArray, view: Window, size: tuple[int, int], scale: Scale) -> FloatArray:
    """The tissue's share at each px of a map, 0 beyond the slide: (H, W)."""
    width, height = size
    x = view.x + pixel_centers(np.arange(width)) * (view.width / width)
    y = view.y + pixel_centers(np.arange(height)) * (view.height / height)
    column, row = ((scale.to_model(at) // UNIT_PX).astype(np.int64) for at in (x, y))
    rows, columns = tissue.shape
    on_slide = ((row >= 0) & (row < rows))[:, np.newaxis] & ((column >= 0) & (column < columns))
    shares = tissue[np.ix_(np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1))]
    return np.where(on_slide, shares, 0).astype(np.float32)


def _blurred(values: FloatArray, sigma_px: float) -> FloatArray:
    blurred = cv2.GaussianBlur(values, (0, 0), sigma_px, borderType=cv2.BORDER_CONSTANT)
    return np.maximum(np.asarray(blurred, np.float32), 0)
