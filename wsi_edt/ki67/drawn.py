"""What a user drew on a slide: the shapes that count, without what is ignored, and which cells lie in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Polygon

from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale
from wsi_edt.qupath.regions import BoolArray, IntArray, Polygons, Region, contains, polygons_of
from wsi_edt.slides.tissue import TissueMask

_OWN_NAMES = re.compile(
    r"whole tissue( without excluded areas)?|all regions|hotspot \d+ by [\w /²]+|field \d+"
)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnArea:
    """A region that counts.

    Attributes
    ----------
    name : the region's; of equal names the second is "NAME (2)", as is one that an area of the program's own has
    class_name : as it was drawn; None without a class
    shape : level-0 px, without what is ignored; None if that leaves nothing
    outline : as it was drawn, level-0 px; `shape` itself if nothing of it is ignored
    """

    name: str
    class_name: str | None
    shape: Polygons | None
    outline: Polygons


def drawn_areas(regions: Sequence[Region]) -> tuple[DrawnArea, ...]:
    """The regions that count, in their order; regions of class Ignore* are cut out of them."""
    ignored = [region.polygon for region in regions if region.ignored]
    tree = shapely.STRtree(ignored)
    names = _Names()
    return tuple(
        DrawnArea(
            names.next(region.name),
            region.class_name,
            _without(region.polygon, ignored, tree),
            region.polygon,
        )
        for region in regions
        if not region.ignored
    )


def joined(shapes: Iterable[Polygons | None]) -> Polygons | None:
    """All that lies in any of the shapes; None if that is nothing."""
    # 5,000 regions take 0.1 s so, and 5 s by unary_union, which looks for overlaps between all of them.
    return polygons_of(shapely.disjoint_subset_union_all([shape for shape in shapes if shape is not None]))


def ignored_shape(regions: Iterable[Region]) -> Polygons | None:
    """All that was drawn as ignored; None if nothing was."""
    return joined(region.polygon for region in regions if region.ignored)


def cells_in(shape: Polygons | None, cells: Cells) -> IntArray:
    """The indices of the cells whose centre lies in a shape or on its edge, ascending.

    A slide may have a million cells and thousands of regions: only cells of a shape's own rows are looked at.

    Parameters
    ----------
    shape : level-0 px; None holds no cell
    cells : level-0 px, ordered by y
    """
    if shape is None:
        return np.zeros(0, np.int64)
    left, top, right, bottom = shape.bounds
    first, last = np.searchsorted(cells.y, top), np.searchsorted(cells.y, bottom, side="right")
    x, y = cells.x[first:last], cells.y[first:last]
    near = np.flatnonzero((x >= left) & (x <= right))
    return np.asarray(near[contains(shape, x[near], y[near])] + first, dtype=np.int64)


def slide_shape(tissue: TissueMask, scale: Scale) -> Polygon:
    """The slide's outline, level-0 px."""
    width, height = scale.to_l0(np.array(tissue.size or tissue.extent))
    return shapely.box(0, 0, width, height)


def looked_at(
    regions: Sequence[Region], tissue: TissueMask, scale: Scale, *, only_regions: bool
) -> Polygons | None:
    """Where a network has to look, level-0 px; None if nowhere.

    Parameters
    ----------
    regions : level-0 px
    tissue, scale : the slide's
    only_regions : whether nothing but the regions counts; if all are ignored ones, all but them is looked at
    """
    drawn = drawn_areas(regions)
    if not only_regions:
        return slide_shape(tissue, scale)
    if drawn:
        return joined(area.shape for area in drawn)
    ignored = ignored_shape(regions)
    whole = slide_shape(tissue, scale)
    return whole if ignored is None else polygons_of(shapely.difference(whole, ignored))


def counted_cells(cells: Cells, regions: Sequence[Region], *, only_regions: bool) -> Cells:
    """The cells that count, see `which_count`."""
    counts = which_count(cells, regions, only_regions=only_regions)
    return cells if counts is None else cells.select(counts)


def which_count(cells: Cells, regions: Sequence[Region], *, only_regions: bool) -> BoolArray | None:
    """Which cells count: all but ignored ones or, with `only_regions`, those in regions that aren't ignored.

    Parameters
    ----------
    cells : level-0 px, ordered by y
    regions : level-0 px; if all of them are ignored ones, `only_regions` changes nothing

    Returns
    -------
    (N,) bool; None if nothing that was drawn leaves any out.
    """
    drawn = drawn_areas(regions)
    if only_regions and drawn:
        counts = np.zeros(len(cells), np.bool_)
        for area in drawn:
            counts[cells_in(area.shape, cells)] = True
        return counts
    ignored = ignored_shape(regions)
    return None if ignored is None else ~_within(ignored, cells)


def _within(shape: Polygons, cells: Cells) -> BoolArray:
    """Whether cells lie in a shape but not on its edge, where they count to the regions around it: (N,) bool."""
    found = np.zeros(len(cells), np.bool_)
    for part in shapely.get_parts(shape):
        near = cells_in(part, cells)
        found[near] |= shapely.contains_xy(part, cells.x[near], cells.y[near])
    return found


def _without(polygon: Polygons, ignored: Sequence[Polygons], tree: shapely.STRtree) -> Polygons | None:
    near = tree.query(polygon, predicate="intersects")
    if not len(near):
        return polygon
    return polygons_of(shapely.difference(polygon, shapely.unary_union([ignored[k] for k in near.tolist()])))


class _Names:
    """Tells names apart that are equal, or the program's own, by a number that makes none of the others."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._numbers: dict[str, int] = {}

    def next(self, wanted: str) -> str:
        name, number = wanted, self._numbers.get(wanted, 1)
        while name in self._given or _OWN_NAMES.fullmatch(name):
            number += 1
            name = f"{wanted} ({number})"
        self._given.add(name)
        self._numbers[wanted] = number
        return name
