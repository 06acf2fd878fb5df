"""How much tissue lies in a shape that was drawn or placed on a slide."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import shapely

from wsi_edt.geometry import Scale, area_mm2, pixel_centers
from wsi_edt.qupath.regions import BoolArray, IntArray, Polygons, row_crossings
from wsi_edt.slides.cover import FULL
from wsi_edt.slides.tissue import UNIT_PX, TissueMask

FloatArray = npt.NDArray[np.float32]

SAMPLES = (
    4  # along each side of a unit of the mask: one for each 8 × 8 model px, 2.5 µm of the shipped model's
)


def tissue_mm2(shape: Polygons, tissue: TissueMask, scale: Scale) -> float:
    """The tissue in a shape, mm²: each unit counts by its share of tissue and by its samples in the shape and on the slide.

    Samples may overstate a small shape, which never holds more tissue than it is large.

    Parameters
    ----------
    shape : level-0 px
    tissue, scale : the slide's
    """
    step = UNIT_PX // SAMPLES
    total = 0.0
    for rows, columns, inside in _samples_inside(shape, tissue, scale):
        total += float((_shares(tissue, rows, columns) * inside).sum(dtype=np.float64))
    largest = shapely.area(shape) / scale.l0_per_model_px**2
    return area_mm2(min(total * step**2, float(largest)), tissue.unit_mpp / UNIT_PX)


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
    for rows, columns, inside in _samples_inside(shape, tissue, scale):
        found[rows, columns] += _shares(tissue, rows, columns) * inside / SAMPLES**2
    return found


def _shares(tissue: TissueMask, rows: slice, columns: slice) -> FloatArray:
    """How much of some units is tissue: as `TissueMask.shares`, without those of all others."""
    cover = None if tissue.cover is None else tissue.cover[rows, columns]
    if cover is None:
        return tissue.mask[rows, columns].astype(np.float32)
    return cover.astype(np.float32) / np.float32(FULL)


def _samples_inside(
    shape: Polygons, tissue: TissueMask, scale: Scale
) -> Iterator[tuple[slice, slice, IntArray]]:
    """Units of the boxes around a shape's parts, and how many of the samples of each lie inside and on the slide."""
    step = UNIT_PX // SAMPLES
    for part in shapely.get_parts(shapely.orient_polygons(shape)):
        left, top, right, bottom = scale.to_model(np.array(part.bounds)) / UNIT_PX
        columns = slice(max(int(left), 0), min(math.ceil(right), tissue.mask.shape[1]))
        rows = slice(max(int(top), 0), min(math.ceil(bottom), tissue.mask.shape[0]))
        if columns.start >= columns.stop or rows.start >= rows.stop:
            continue
        x, y = (
            pixel_centers(np.arange(units.start * SAMPLES, units.stop * SAMPLES)) * step
            for units in (columns, rows)
        )
        x, y = x[x < tissue.extent[0]], y[y < tissue.extent[1]]
        row, column, enters = row_crossings(part, scale.to_l0(x), scale.to_l0(y))
        unit_columns = columns.stop - columns.start
        yield rows, columns, _counted(row, column, enters, (rows.stop - rows.start, unit_columns))


def _counted(row: IntArray, column: IntArray, enters: BoolArray, units: tuple[int, int]) -> IntArray:
    """How many samples of each of (rows, columns) units lie inside, of the crossings of rows of samples.

    Each crossing adds, or takes away, all samples from its column on: of its unit those to the right, of the next what is
    left of the whole unit's, and so on, which a sum along the rows gives.
    """
    unit, past = np.divmod(column, SAMPLES)
    weight = np.where(enters, 1, -1)
    place = row // SAMPLES * (units[1] + 2) + unit
    added = np.bincount(place, weight * (SAMPLES - past), minlength=units[0] * (units[1] + 2))
    added += np.bincount(place + 1, weight * past, minlength=len(added))[: len(added)]
    return np.cumsum(added.reshape(units[0], units[1] + 2)[:, : units[1]], axis=1).astype(np.int64)
