"""Hotspots: where the share, or the density, of positive cells is highest, and what of it remains after the search."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.cells import CellClass
from wsi_edt.ki67.after_selection import remaining
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.candidate_fields import LEAST_TISSUE, Ladder, place_of, possible_fields
from wsi_edt.ki67.conventions import Conventions, HotspotRule
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.field_search import FoundField, Order, hottest
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.text import count
from wsi_edt.ki67.unit_grid import UnitGrid

__all__ = ["Hotspot", "Hotspots", "Order", "find_hotspots"]

_LEAST_TISSUE = f"{100 * LEAST_TISSUE:.0f} %"


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
    reason : why none was found; empty if any was
    """

    rule: HotspotRule
    found: tuple[Hotspot, ...]
    reason: str = ""

    @property
    def hottest(self) -> Hotspot | None:
        """The first by index; None if there is none."""
        return next((one for one in self.found if one.order is Order.INDEX and one.rank == 1), None)

    @property
    def definition(self) -> str:
        """What a hotspot is, in words."""
        rule = self.rule
        return (
            f"a {rule.shape} that grows until it holds {rule.cells} cells with a class; one of {rule.mm2:g} mm² grows no "
            f"further, and needs {rule.least_cells}; at least {_LEAST_TISSUE} of it is tissue, those of one order don't "
            "overlap, and each is hotter than all the tissue together"
        )


def find_hotspots(
    area: Area, findings: SlideFindings, conventions: Conventions
) -> tuple[tuple[Area, ...], Hotspots | None]:
    """The hotspots inside an area, as areas of their own, and what is said of them; None if none are looked for.

    A field lies around the centre of a unit of the tissue mask that is at least half tissue of the area, every
    `Ladder.pitch` units in x and y (50 µm by default). It has the smallest size of the `Ladder` (down from the rule's area,
    each √2 smaller) at which it holds the rule's cells with a class, or the largest if it holds half of them there. All of
    it lies on the slide, and of the units whose centres lie in it at least `LEAST_TISSUE` is tissue.

    Hotspots are the fields with the highest index, or the most positive cells per mm² of tissue, that don't overlap
    hotter ones of that order; of equal ones the first by y, then x. Only cells and tissue of the area count. A field
    without a positive cell, or with a lower index (density) than the area as a whole, is no hotspot.

    A pure function of its arguments; see `after_selection` for what remains of them.
    """
    rule = conventions.hotspots
    ladder = Ladder.of(rule, unit_um=findings.tissue.unit_mpp)
    if not rule.count:
        return (), None
    grid = UnitGrid.of(area, findings, margin=ladder.margin)
    if grid is None:
        return (), Hotspots(rule, (), "no hotspot: there are no cells with a class on tissue")
    if not grid.any_positive:
        return (), Hotspots(rule, (), "no hotspot: no cell is positive")
    fields = possible_fields(grid, ladder)
    found = {}
    for order in Order:
        # As hot as all may be the only field of a small piece, or any where all cells are positive.
        least = _of_all(area, order) * (1 - 1e-9)
        found[order] = [
            field for field in hottest(grid, ladder, fields, order, count=rule.count) if field.score >= least
        ]
    if not any(found.values()):
        return (), Hotspots(rule, (), _why_none(rule, any_field=len(fields.at) > 0))
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


def _of_all(area: Area, order: Order) -> float:
    """What hotspots are looked for by, of the whole area."""
    positive = area.cells.count(CellClass.POSITIVE)
    if order is Order.INDEX:
        return 100 * positive / (positive + area.cells.count(CellClass.NEGATIVE))
    return positive / area.mm2 if area.mm2 else 0.0


def _why_none(rule: HotspotRule, *, any_field: bool) -> str:
    a_field = f"no {rule.shape} of {rule.mm2:g} mm², {_LEAST_TISSUE} of it tissue,"
    if any_field:
        return f"no hotspot: {a_field} is hotter than all the tissue together"
    return f"no hotspot: {a_field} holds {count(rule.least_cells)} cells with a class"


def _area_of(field: FoundField, name: str, area: Area, grid: UnitGrid, ladder: Ladder) -> Area:
    place = place_of(grid, ladder, field.at, field.size)
    inside = area.cells.select(place.contains(area.cells.x, area.cells.y))
    return Area(AreaKind.HOTSPOT, name, inside, field.mm2, place=place)
