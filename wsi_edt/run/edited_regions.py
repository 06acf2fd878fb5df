"""The corrections that a file's areas ask for: regions and excluded areas that its author drew, changed or took away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import shapely

from wsi_edt.corrections import Correction, Exclude, MakeRegion, Record, Undo
from wsi_edt.corrections.kinds import LONGEST_NAME
from wsi_edt.qupath.regions import Polygons, Region

_SAME_SHAPE = 1e-3  # of an area, that rounding to 0.01 px may change


def region_corrections(
    drawn: Iterable[Region],
    given: Iterable[Region],
    record: Record,
    *,
    own: set[int],
    partial: bool,
) -> Iterator[Correction]:
    """What makes the areas as they are now into what a file's author drew.

    An area that is there already is passed over, one of a corrected region's name takes its place. Only areas of the
    author's own earlier files are taken away because this one lacks them.

    Parameters
    ----------
    drawn : the file's areas
    given : to the run
    record : as it is now
    own : the entries that the author's earlier files made since the report
    partial : whether nothing is taken away
    """
    there = {
        entry.id: entry.correction
        for entry in record.active
        if isinstance(entry.correction, MakeRegion | Exclude)
    }
    fixed = [(region.polygon, region.ignored) for region in given]
    fixed += [(one.polygon, isinstance(one, Exclude)) for number, one in there.items() if number not in own]
    mine = {number: one for number, one in there.items() if number in own}
    named = {number: one.name for number, one in there.items() if isinstance(one, MakeRegion)}
    new: list[Correction] = []
    replaced: list[int] = []
    for region in drawn:
        wanted: MakeRegion | Exclude = (
            Exclude(region.polygon)
            if region.ignored
            else MakeRegion(region.name[:LONGEST_NAME], region.polygon, region.class_name)
        )
        same = next((number for number, one in mine.items() if _is_same(one, wanted)), None)
        if same is not None:
            del mine[same]
        elif not any(
            region.ignored == ignored and _is_like(region.polygon, shape) for shape, ignored in fixed
        ):
            new.append(wanted)
            replaced += [
                number for number, name in named.items() if not region.ignored and name == region.name
            ]
    taken = [] if partial else list(mine)
    yield from map(Undo, sorted({*replaced, *taken}))
    yield from new


def _is_same(one: MakeRegion | Exclude, other: MakeRegion | Exclude) -> bool:
    if isinstance(one, MakeRegion) and isinstance(other, MakeRegion):
        alike = (one.name, one.class_name) == (other.name, other.class_name)
    else:
        alike = type(one) is type(other)
    return alike and _is_like(one.polygon, other.polygon)


def _is_like(one: Polygons, other: Polygons) -> bool:
    differs = float(shapely.area(shapely.symmetric_difference(one, other)))
    return differs <= _SAME_SHAPE * float(max(one.area, other.area))
