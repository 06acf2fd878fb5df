"""How unevenly the positive cells lie: the index in each hexagon of a grid, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.ki67.areas import Area
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.findings import SlideFindings


@dataclass(frozen=True, slots=True)
class Hexagon:
    """One hexagon of the grid: its centre, level-0 px, and its cells."""

    x: float
    y: float
    positive: int
    negative: int


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """What the grid tells.

    Attributes
    ----------
    width_mm : of a hexagon, from side to side; two of its sides are upright
    entropy : of the hexagons' indices
    bimodality : Sarle's coefficient of the hexagons' indices
    edge, centre : the index near the tissue's edge, and farther in, %
    edge_minus_centre : their difference, points
    hexagons : those with cells, by y and x
    """

    width_mm: float
    entropy: Estimate | None
    bimodality: Estimate | None
    edge: Estimate | None
    centre: Estimate | None
    edge_minus_centre: Estimate | None
    hexagons: tuple[Hexagon, ...]


def measure_heterogeneity(area: Area, findings: SlideFindings) -> Heterogeneity | None:
    """The heterogeneity of an area's index; None if it has none."""
    return None
