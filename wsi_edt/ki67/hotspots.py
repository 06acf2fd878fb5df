"""Hotspots: where the share, or the density, of positive cells is highest, and what of it remains after the search."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.ki67.after_selection import remaining
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.candidate_fields import LEAST_TISSUE, Ladder, place_of, possible_fields
from wsi_edt.ki67.conventions import Conventions, HotspotRule
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.field_search import FoundField, Order, hottest
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.unit_grid import UnitGrid

__all__ = ["Hotspot", "Hotspots", "Order", "find_hotspots"]


@dataclass(frozen=True, slots=True)
class Hotspot:
    """One hotspot.

    Attributes
    ----------
    area : the name of its area
    order, rank : what it was looked for by, and its place in that order, from 1
    raw : what was looked for there: % or cells/mm², a selected maximum
    remaining : what remains of it after the selection is accounted for; None if that can't be told
    """

    area: str
    order: Order
    rank: int
    raw: float
    remaining: Estimate | None


@dataclass(frozen=True, slots=True)
class Hotspots:
    """The hotspots of a slide and what they are.

    Attributes
    ----------
    rule : their definition
    found : by order and rank
    """

    rule: HotspotRule
    found: tuple[Hotspot, ...]

    @property
    def definition(self) -> str:
        """What a hotspot is, in words."""
        rule = self.rule
        return (
            f"a {rule.shape} that grows until it holds {rule.cells} cells with a class or has {rule.mm2:g} mm², "
            f"where half as many cells are enough; at least {LEAST_TISSUE:.0%} of it is tissue, and those of one "
            "order don't overlap"
        )


def find_hotspots(
    area: Area, findings: SlideFindings, conventions: Conventions
) -> tuple[tuple[Area, ...], Hotspots | None]:
    """The hotspots inside an area, as areas of their own, and what is said of them; None if there are none.

    A field lies around the centre of a unit of the tissue mask that is at least half tissue of the area, every
    `Ladder.pitch` units in x and y (50 µm by default). It has the smallest size of the `Ladder` (down from the rule's area,
    each √2 smaller) at which it holds the rule's cells with a class, or the largest if it holds half of them there. All of
    it lies on the slide, and of the units whose centres lie in it at least `LEAST_TISSUE` is tissue.

    Hotspots are the fields with the highest index, or the most positive cells per mm² of tissue, that don't overlap
    hotter ones of that order; of equal ones the first by y, then x. Only cells and tissue of the area count; a field
    without a positive cell is no hotspot.

    A pure function of its arguments; see `after_selection` for what remains of them.
    """
    rule = conventions.hotspots
    ladder = Ladder.of(rule, unit_um=findings.tissue.unit_mpp)
    grid = UnitGrid.of(area, findings, margin=ladder.margin) if rule.count else None
    if grid is None or not grid.any_positive:
        return (), None
    fields = possible_fields(grid, ladder)
    found = {order: hottest(grid, ladder, fields, order, count=rule.count) for order in Order}
    if not any(found.values()):
        return (), None
    left = remaining(grid, ladder, fields, found)
    areas, spots = [], []
    for order, of_order in found.items():
        for number, field in enumerate(of_order):
            name = f"hotspot {number + 1} by {order}"
            areas.append(_area_of(field, name, area, grid, ladder))
            remains = left[order][number]
            spots.append(
                Hotspot(
                    name,
                    order,
                    number + 1,
                    round(field.score, 4),
                    None if remains is None else remains.rounded(),
                )
            )
    return tuple(areas), Hotspots(rule, tuple(spots))


def _area_of(field: FoundField, name: str, area: Area, grid: UnitGrid, ladder: Ladder) -> Area:
    place = place_of(grid, ladder, field.at, field.size)
    inside = area.cells.select(place.contains(area.cells.x, area.cells.y))
    return Area(AreaKind.HOTSPOT, name, inside, field.mm2, place=place)
