"""The squares of an area's tissue, by how many of their cells are positive: what a few fields of it have to stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.geometry import area_mm2
from wsi_edt.ki67.areas import Area
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.region_areas import tissue_raster
from wsi_edt.ki67.unit_grid import FloatArray, IntArray
from wsi_edt.slides.tissue import UNIT_PX

SIDE_UM = 300.0  # of a square, about: some 450 cells of a carcinoma, so that 100 of them fill a part of it
# A square with fewer cells, or that is less than half tissue, is in no stratum: the share of its few positive cells says
# nothing, and a field is no field in a corner. 0 of 13 and 5 of 13 made strata of their own.
LEAST_CELLS = 50
LEAST_TISSUE = 0.5
FIELDS = 4
UNEVEN = 0.25  # two strata whose shares differ by so much get three fields and one


class Stratum(StrEnum):
    """How much of the tissue around a field is positive."""

    NEGLIGIBLE = "negligible"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


# The share of positive cells, %, from which on a square is low, medium and high: 10 and 30 as Zhong et al. (2016) group
# indices, 2 is ours. The working group leaves it to the eye.
FROM_PERCENT = (2.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """The squares with enough tissue and cells, by y and x.

    Attributes
    ----------
    x, y : (N,) their centres, level-0 px
    side_px, side_um : of each
    mm2 : (N,) of tissue
    area_mm2 : the tissue of all squares, those with too few cells or too little tissue too
    stratum : (N,) numbers of `Stratum` in its order
    cells : (N,) with a class, in the disc that fills the square
    counted, positive : (N,) what a field there would count: the cells nearest to its centre, and the positive ones of them
    """

    x: FloatArray
    y: FloatArray
    side_px: float
    side_um: float
    mm2: FloatArray
    area_mm2: float
    stratum: IntArray
    cells: IntArray
    counted: IntArray
    positive: IntArray

    @classmethod
    def of(cls, area: Area, findings: SlideFindings, *, field_cells: int) -> Self:
        """The squares of an area, on a lattice from the slide's corner, for fields of so many cells."""
        tissue = findings.tissue
        units = max(round(SIDE_UM / tissue.unit_mpp), 1)
        side_px = units * UNIT_PX * findings.scale.l0_per_model_px
        raster = tissue_raster(area.shape, tissue, findings.scale).astype(np.float64)
        rows, columns = (-(-length // units) for length in raster.shape)
        padded = np.pad(
            raster, [(0, n * units - m) for n, m in zip((rows, columns), raster.shape, strict=True)]
        )
        held = padded.reshape(rows, units, columns, units).sum(axis=(1, 3)).ravel()
        mm2 = held * area_mm2(1.0, tissue.unit_mpp)
        column, row = (
            np.minimum((along / side_px).astype(np.int64), last - 1)
            for along, last in ((area.cells.x, columns), (area.cells.y, rows))
        )
        square = row * columns + column
        dx, dy = area.cells.x - (column + 0.5) * side_px, area.cells.y - (row + 0.5) * side_px
        squared = dx * dx + dy * dy
        in_disc = squared <= (side_px / 2) ** 2
        classified = area.cells.class_id != CellClass.NUCLEUS
        is_positive = area.cells.class_id == CellClass.POSITIVE
        in_field = _nearest_of_each(square, squared, np.flatnonzero(classified & in_disc), field_cells)
        cells, positive, disc_cells, counted, counted_positive = (
            np.bincount(square[which], minlength=rows * columns)
            for which in (
                classified,
                is_positive,
                classified & in_disc,
                in_field,
                in_field[is_positive[in_field]],
            )
        )
        broad = held >= LEAST_TISSUE * units**2 - 1e-6
        kept = np.flatnonzero((cells >= LEAST_CELLS) & (disc_cells > 0) & broad)
        percent = 100 * positive[kept] / cells[kept]
        return cls(
            x=(kept % columns + 0.5) * side_px,
            y=(kept // columns + 0.5) * side_px,
            side_px=side_px,
            side_um=units * tissue.unit_mpp,
            mm2=mm2[kept],
            area_mm2=float(mm2.sum()),
            stratum=np.searchsorted(FROM_PERCENT, percent, side="right"),
            cells=disc_cells[kept],
            counted=counted[kept],
            positive=counted_positive[kept],
        )

    def shares(self) -> dict[Stratum, float]:
        """How much of the area's tissue lies in squares of each stratum that has any."""
        held = np.bincount(self.stratum, weights=self.mm2, minlength=len(Stratum)) / max(self.area_mm2, 1e-12)
        return {stratum: float(share) for stratum, share in zip(Stratum, held, strict=True) if share > 0}

    def candidates(self, stratum: Stratum, *, fields: int, cells: int) -> IntArray:
        """The squares that a stratum's fields may lie in: those with so many cells in their disc.

        Where they are too few, those with half as many as the fullest; if these are too few, the fullest.
        """
        own = np.flatnonzero(self.stratum == list(Stratum).index(stratum))
        held = self.cells[own]
        for least in (cells, held.max() / 2):
            if (held >= least).sum() >= fields:
                return own[held >= least]
        return own[np.argsort(-held, kind="stable")[:fields]]


def _nearest_of_each(square: IntArray, squared: FloatArray, cells: IntArray, count: int) -> IntArray:
    """Of some cells the first of each square by their squared distance: their numbers."""
    by_distance = cells[np.argsort(squared[cells], kind="stable")]
    own = square[by_distance]
    if len(own):
        own = own.astype(np.min_scalar_type(own.max()))  # numpy sorts 16 bits ten times as fast as 64
    ordered = by_distance[np.argsort(own, kind="stable")]
    first = np.searchsorted(square[ordered], square[ordered], side="left")
    return ordered[np.arange(len(ordered)) - first < count]


def allotted(shares: Mapping[Stratum, float]) -> dict[Stratum, int]:
    """How many of the four fields each stratum gets, by its share of the tissue.

    One for each; the fourth of three strata for the largest; two strata two and two, or three and one if their shares
    differ by a quarter or more. So does the working group's counter (`Ki67Counter` of the Genetic Pathology Evaluation
    Centre, Vancouver), which leaves the fourth field out where it can't tell the largest.
    """
    by_size = sorted(shares, key=lambda stratum: -shares[stratum])
    total = sum(shares.values())
    if len(by_size) == 1:
        numbers = [FIELDS]
    elif len(by_size) == 2:
        uneven = (shares[by_size[0]] - shares[by_size[1]]) / total >= UNEVEN
        numbers = [3, 1] if uneven else [2, 2]
    else:
        numbers = [FIELDS - len(by_size) + 1] + [1] * (len(by_size) - 1)
    given = dict(zip(by_size, numbers, strict=True))
    return {stratum: given[stratum] for stratum in shares}


def nearest(cells: Cells, x: float, y: float, *, reach: float, count: int) -> tuple[Cells, float]:
    """The cells with a class that lie nearest to a point, and how far the last of them is.

    Parameters
    ----------
    reach : cells farther away don't count, px
    count : all of them if there are no more; of equally near ones the first by y, then x
    """
    dx, dy = cells.x - x, cells.y - y
    near = np.flatnonzero(
        (np.maximum(np.abs(dx), np.abs(dy)) <= reach) & (cells.class_id != CellClass.NUCLEUS)
    )
    squared = dx[near] ** 2 + dy[near] ** 2
    near, squared = near[squared <= reach**2], squared[squared <= reach**2]
    if len(near) <= count:
        return cells.select(near), reach
    first = np.lexsort((cells.x[near], cells.y[near], squared))[:count]
    return cells.select(np.sort(near[first])), float(np.sqrt(squared[first[-1]])) * (1 + 1e-9)
