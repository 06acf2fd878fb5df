"""How unevenly the positive cells lie: the index in each hexagon of a grid, and what follows from it.

After Plancoulaine et al. (2015, doi 10.1007/s00428-015-1865-x) and Laurinavicius et al. (2016), who read the
heterogeneity of Ki-67 from the indices of hexagons, and of whom the latter found their bimodality to be prognostic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.geometry import FloatArray
from wsi_edt.ki67.areas import Area
from wsi_edt.ki67.edge import edge_distances
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.hexagons import BoolArray, HexagonCounts, count_in_hexagons
from wsi_edt.ki67.region_areas import tissue_raster
from wsi_edt.ki67.resampling import LEAST_BLOCKS, Blocks, estimate
from wsi_edt.ki67.unevenness import CLASSES, bimodality, differ, entropy, entropy_if_even, features, spread
from wsi_edt.slides.tissue import UNIT_PX

WIDTH_MM = 0.5  # 0.22 mm², some 600 cells of a tumour of 3,000 a mm²
LEAST_CELLS = 100  # of a hexagon that counts: an index of 20 % is then known to ± 4 points
LEAST_HEXAGONS = 20
EDGE_MM = 0.5
BLOCK_MM = 1.0  # holds four or five hexagons, and the edge together with what borders on it


class NoNumbers(StrEnum):
    """Why the hexagons, or the edge, have no numbers, in words, as ki67.json has them."""

    FEW_HEXAGONS = f"fewer than {LEAST_HEXAGONS} hexagons with {LEAST_CELLS} cells"
    NO_EDGE = "no edge of the tissue in view"
    FEW_AT_EDGE = f"fewer than {LEAST_CELLS} cells within {EDGE_MM:g} mm of the tissue's edge"
    FEW_IN_CENTRE = f"fewer than {LEAST_CELLS} cells farther in than {EDGE_MM:g} mm from the tissue's edge"


@dataclass(frozen=True, slots=True)
class Hexagon:
    """One hexagon of the grid: its centre, level-0 px, and its cells."""

    x: float
    y: float
    positive: int
    negative: int


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """What the grid tells; intervals are None with fewer than 20 blocks of 1 mm, numbers with fewer than 20 hexagons.

    Attributes
    ----------
    width_mm : of a hexagon, from side to side; two of its sides are upright
    least_cells : that a hexagon must hold to count for spread, entropy and bimodality
    edge_mm : how far the edge reaches inwards from the tissue's outer edge
    spread : the standard deviation of the index from hexagon to hexagon, points; that of counting few cells is taken off
    entropy : of the hexagons' indices in classes of 5 points, bits, with Miller and Madow's correction
    entropy_if_even : what it would be if every hexagon had the same index and only chance told them apart
    bimodality : Sarle's coefficient of the log odds of the hexagons' indices; above 5/9 they have two peaks rather than
        one. None where counting alone makes hexagons differ as much as anything else does
    edge, centre : the index near the tissue's edge, and farther in, %; None with fewer than 100 cells
    edge_minus_centre : their difference, points
    edge_cells, centre_cells : how many cells with a class lie near the edge, and farther in
    hexagons : those with cells, by y and x
    hexagons_reason : why there is no spread and entropy; None if there are
    edge_reason : why edge and centre can't be compared; None if they can
    """

    width_mm: float
    least_cells: int
    edge_mm: float
    spread: Estimate | None
    entropy: Estimate | None
    entropy_if_even: float | None
    bimodality: Estimate | None
    edge: Estimate | None
    centre: Estimate | None
    edge_minus_centre: Estimate | None
    edge_cells: int
    centre_cells: int
    hexagons: tuple[Hexagon, ...]
    hexagons_reason: NoNumbers | None = None
    edge_reason: NoNumbers | None = None

    @property
    def definition(self) -> str:
        """How the numbers are made, in words, so that they can be made again from the hexagons and the cells."""
        return (
            f"each hexagon is {self.width_mm:g} mm wide and counts if it holds {self.least_cells} cells with a class; "
            "spread is the standard deviation of their indices without the variance that counting few cells adds; "
            f"entropy is −Σ p log₂ p of the shares p of hexagons in classes of {100 // CLASSES} points of the index (0 up "
            f"to {100 // CLASSES} %, and so on), plus (k − 1) / (2 n ln 2) for the k classes that hold any of the n "
            "hexagons (Miller and Madow 1955); the entropy if even has no such correction; bimodality is Sarle's "
            "coefficient of the log odds ln((positive + 0.5) / (negative + 0.5)); the edge are cells within "
            f"{self.edge_mm:g} mm of glass around the tissue, without its holes and clefts under 0.16 mm"
        )


def measure_heterogeneity(area: Area, findings: SlideFindings) -> Heterogeneity | None:
    """The heterogeneity of an area's index; None if it has none."""
    cells = area.cells.select(area.cells.class_id != CellClass.NUCLEUS)
    if not len(cells):
        return None
    distances = _distances_um(cells, area, findings)
    return heterogeneity_of(cells, distances / 1000, mm_per_px=findings.scale.slide_mpp / 1000)


def heterogeneity_of(cells: Cells, distances_mm: FloatArray, *, mm_per_px: float) -> Heterogeneity:
    """The heterogeneity of these cells.

    Parameters
    ----------
    cells : (N,) at least one, level-0 px of `mm_per_px`, all positive or negative
    distances_mm : (N,) how far each lies from the tissue's edge; infinite where none is in view
    """
    near = distances_mm <= EDGE_MM
    edge_cells = int(np.count_nonzero(near))
    positive = cells.class_id == CellClass.POSITIVE
    hexagons = count_in_hexagons(cells.x, cells.y, positive, width=WIDTH_MM / mm_per_px)
    counting = hexagons.select(hexagons.total >= LEAST_CELLS)
    return Heterogeneity(
        WIDTH_MM,
        LEAST_CELLS,
        EDGE_MM,
        *_of_hexagons(counting, mm_per_px=mm_per_px),
        *_edge_and_centre(cells.x * mm_per_px, cells.y * mm_per_px, positive, near),
        edge_cells=edge_cells,
        centre_cells=len(cells) - edge_cells,
        hexagons=tuple(_listed(hexagons)),
        hexagons_reason=NoNumbers.FEW_HEXAGONS if len(counting.total) < LEAST_HEXAGONS else None,
        edge_reason=_edge_reason(
            edge_cells, len(cells) - edge_cells, in_view=bool(np.isfinite(distances_mm).any())
        ),
    )


def _edge_reason(edge_cells: int, centre_cells: int, *, in_view: bool) -> NoNumbers | None:
    """Why edge and centre can't be compared, if they can't."""
    if not in_view:
        return NoNumbers.NO_EDGE
    if edge_cells < LEAST_CELLS:
        return NoNumbers.FEW_AT_EDGE
    return NoNumbers.FEW_IN_CENTRE if centre_cells < LEAST_CELLS else None


def _of_hexagons(
    hexagons: HexagonCounts, *, mm_per_px: float
) -> tuple[Estimate | None, Estimate | None, float | None, Estimate | None]:
    """Spread, entropy, entropy if even, and bimodality."""
    if len(hexagons.total) < LEAST_HEXAGONS:
        return None, None, None, None
    blocks = Blocks.of(hexagons.x * mm_per_px, hexagons.y * mm_per_px, side=BLOCK_MM)
    sums = blocks.sums(features(hexagons.positive, hexagons.total))
    return (
        estimate(blocks, sums, spread, low=0),
        estimate(blocks, sums, entropy, low=0),
        round(entropy_if_even(hexagons.positive, hexagons.total), 4),
        estimate(blocks, sums, bimodality, low=0, high=1) if differ(sums.sum(axis=0)) else None,
    )


def _distances_um(cells: Cells, area: Area, findings: SlideFindings) -> FloatArray:
    """How far each cell lies from the outer edge of the area's tissue: a region's tissue ends where the region does."""
    tissue, scale = findings.tissue, findings.scale
    x, y = (scale.to_model(place) / UNIT_PX for place in (cells.x, cells.y))
    return edge_distances(x, y, tissue_raster(area.shape, tissue, scale), unit_um=tissue.unit_mpp)


def _edge_and_centre(
    x_mm: FloatArray, y_mm: FloatArray, positive: BoolArray, near: BoolArray
) -> tuple[Estimate | None, Estimate | None, Estimate | None]:
    """The index near the edge, that of the other cells, and the difference: blocks are drawn with all their cells."""
    blocks = Blocks.of(x_mm, y_mm, side=BLOCK_MM)
    sums = blocks.counts(2 * near + positive.astype(np.int64), 4)
    totals = [sums[:, 2:].sum(axis=1), sums[:, :2].sum(axis=1)]
    there = [bool(total.sum() >= LEAST_CELLS) for total in totals]
    enough = [bool(np.count_nonzero(total) >= LEAST_BLOCKS) for total in totals]
    edge, centre = (
        estimate(blocks, sums, part, low=0, high=100, enough=many) if some else None
        for part, some, many in zip((_edge, _centre), there, enough, strict=True)
    )
    if not all(there):
        return edge, centre, None
    return edge, centre, estimate(blocks, sums, _difference, low=-100, high=100, enough=all(enough))


def _edge(sums: FloatArray) -> FloatArray:
    """(..., negative and positive of the centre, negative and positive of the edge) → (...) %."""
    return np.asarray(100 * sums[..., 3] / np.maximum(sums[..., 2] + sums[..., 3], 1))


def _centre(sums: FloatArray) -> FloatArray:
    """The same sums → (...) %."""
    return np.asarray(100 * sums[..., 1] / np.maximum(sums[..., 0] + sums[..., 1], 1))


def _difference(sums: FloatArray) -> FloatArray:
    """The same sums → (...) points."""
    return _edge(sums) - _centre(sums)


def _listed(hexagons: HexagonCounts) -> Iterator[Hexagon]:
    columns = (hexagons.x, hexagons.y, hexagons.positive, hexagons.total)
    for x, y, positive, total in zip(*(column.tolist() for column in columns), strict=True):
        yield Hexagon(round(x, 1), round(y, 1), positive, total - positive)
