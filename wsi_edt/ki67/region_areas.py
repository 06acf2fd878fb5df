"""The areas that a user drew: which cells lie in them, and how much tissue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wsi_edt.geometry import Scale, area_mm2, pixel_centers
from wsi_edt.ki67.drawn import drawn_areas
from wsi_edt.qupath.regions import BoolArray, Polygons, Region, grid_mask
from wsi_edt.slides.tissue import UNIT_PX, TissueMask

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

SAMPLES = (
    4  # along each side of a unit of the mask: one for each 8 × 8 model px, 2.5 µm of the shipped model's
)
_ROWS_AT_A_TIME = 256  # of units: memory stays small, whatever the slide's size


def named_areas(regions: Sequence[Region]) -> Iterator[tuple[str, Polygons | None]]:
    """The name and the shape of each region that counts, see `drawn_areas`."""
    for area in drawn_areas(regions):
        yield area.name, area.shape


def tissue_mm2(shape: Polygons, tissue: TissueMask, scale: Scale) -> float:
    """The tissue in a shape, mm²: each unit counts by its share of tissue and by its samples in the shape and on the slide.

    Parameters
    ----------
    shape : level-0 px
    tissue, scale : the slide's
    """
    step = UNIT_PX // SAMPLES
    total = sum(
        float(held[inside].sum(dtype=np.float64)) for _, _, held, inside in _sampled(shape, tissue, scale)
    )
    return area_mm2(total * step**2, tissue.unit_mpp / UNIT_PX)


def tissue_raster(shape: Polygons | None, tissue: TissueMask, scale: Scale) -> FloatArray:
    """How much of each unit of the mask is tissue inside a shape: (rows, columns) float32 in [0, 1].

    Parameters
    ----------
    shape : level-0 px; None for all tissue
    tissue, scale : the slide's; a unit has `tissue.unit_mpp` µm a side, its corner is the slide's
    """
    if shape is None:
        return tissue.shares
    found = np.zeros(tissue.mask.shape, np.float32)
    for rows, columns, held, inside in _sampled(shape, tissue, scale):
        np.add.at(found, np.ix_(rows, columns), np.where(inside, held, 0) / SAMPLES**2)
    return found


def _sampled(
    shape: Polygons, tissue: TissueMask, scale: Scale
) -> Iterator[tuple[IntArray, IntArray, FloatArray, BoolArray]]:
    """Samples of the shape's box, some rows at a time: units' rows (R,) and columns (C,), their tissue, whether inside."""
    step = UNIT_PX // SAMPLES
    rows, columns = tissue.mask.shape
    left, top, right, bottom = scale.to_model(np.array(shape.bounds)) / step
    first_column, last_column = max(int(left), 0), min(int(np.ceil(right)), columns * SAMPLES)
    first_row, last_row = max(int(top), 0), min(int(np.ceil(bottom)), rows * SAMPLES)
    x = pixel_centers(np.arange(first_column, max(last_column, first_column))) * step
    x = x[x < tissue.extent[0]]
    shares = tissue.shares
    for begin in range(first_row, last_row, _ROWS_AT_A_TIME * SAMPLES):
        y = pixel_centers(np.arange(begin, min(begin + _ROWS_AT_A_TIME * SAMPLES, last_row))) * step
        y = y[y < tissue.extent[1]]
        if not len(x) or not len(y):
            continue
        unit_rows, unit_columns = (y // UNIT_PX).astype(np.int64), (x // UNIT_PX).astype(np.int64)
        inside = grid_mask(shape, scale.to_l0(x), scale.to_l0(y))
        yield unit_rows, unit_columns, shares[np.ix_(unit_rows, unit_columns)], inside
