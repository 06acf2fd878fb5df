"""The corrections that a file's areas ask for: regions and excluded areas that its author drew, changed or took away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

import shapely

from wsi_edt.corrections import Correction, Exclude, MakeRegion, Record, Undo
from wsi_edt.corrections.kinds import LONGEST_NAME
from wsi_edt.qupath.regions import Polygons, Region

Drawn = MakeRegion | Exclude
_SAME_SHAPE = 1e-3  # of an area, that rounding to 0.01 px may change


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a file's author knows of the areas that were drawn.

    Attributes
    ----------
    record : as it is now
    given : the regions that the run was given
    since : by their ids, the areas of the author's files since the report: a file without one of them took it away
    before : the areas of their files before it: a file may lack them, as a project that was made anew does
    """

    record: Record
    given: Collection[Region]
    since: Mapping[int, Drawn]
    before: Mapping[int, Drawn]

    @classmethod
    def of(
        cls, record: Record, known: Record, given: Collection[Region], *, who: str, revision: int
    ) -> Known:
        """From the record as the author knows it, see `Record.as_known_by`, and the report's revision."""
        own = {
            entry.id: entry.correction
            for entry in known.active
            if entry.by_file and entry.who == who and isinstance(entry.correction, Drawn)
        }
        since = {number: one for number, one in own.items() if number > revision}
        return cls(record, given, since, {number: own[number] for number in own.keys() - since.keys()})


def region_corrections(
    drawn: Iterable[Region], known: Known, *, unnamed: Collection[str], partial: bool
) -> Iterator[Correction]:
    """What makes the areas as they are now into what a file's author drew; what others drew stays.

    Parameters
    ----------
    drawn : the file's areas
    unnamed : names of regions that nobody gave
    partial : whether no area is taken away because the file lacks it
    """
    active = {
        entry.id: entry.correction for entry in known.record.active if isinstance(entry.correction, Drawn)
    }
    left = {**known.before, **known.since}
    other = [_wanted(region) for region in known.given]
    other += [one for number, one in active.items() if number not in left]
    new = []
    for region in drawn:
        wanted = _wanted(region)
        if region.name in unnamed and isinstance(wanted, MakeRegion):
            wanted = replace(wanted, name="")
        same = next((number for number, one in left.items() if _is_same(one, wanted)), None)
        if same is not None:  # where others took it back it stays so
            del left[same]
        elif not any(type(one) is type(wanted) and _is_like(one.polygon, wanted.polygon) for one in other):
            new.append(wanted)
    gone = [] if partial else [number for number in left if number in known.since]
    gone += [
        number
        for number in left
        if number in known.before and any(_replaces(one, left[number]) for one in new)
    ]
    yield from (Undo(number) for number in sorted(gone) if number in active)
    taken = {one.name for number, one in active.items() if isinstance(one, MakeRegion) and number not in gone}
    yield from _named(new, taken)


def _wanted(region: Region) -> Drawn:
    if region.ignored:
        return Exclude(region.polygon)
    return MakeRegion(region.name[:LONGEST_NAME], region.polygon, region.class_name)


def _named(areas: Iterable[Drawn], taken: set[str]) -> Iterator[Drawn]:
    """The areas, of which those without a name are called Region 1, Region 2, …"""
    for area in areas:
        if isinstance(area, MakeRegion) and not area.name:
            name = next(name for k in count(1) if (name := f"Region {k}") not in taken)
            taken.add(name)
            yield replace(area, name=name)
        else:
            yield area


def _is_same(one: Drawn, wanted: Drawn) -> bool:
    if isinstance(one, MakeRegion) and isinstance(wanted, MakeRegion):
        alike = one.class_name == wanted.class_name and wanted.name in ("", one.name)
    else:
        alike = type(one) is type(wanted)
    return alike and _is_like(one.polygon, wanted.polygon)


def _replaces(new: Drawn, old: Drawn) -> bool:
    """Whether a new area is an old one of another shape, or of another name."""
    if type(new) is not type(old) or not shapely.intersects(new.polygon, old.polygon):
        return False
    same_name = (
        not isinstance(new, MakeRegion) or not isinstance(old, MakeRegion) or new.name in ("", old.name)
    )
    return same_name or _is_like(new.polygon, old.polygon)


def _is_like(one: Polygons, other: Polygons) -> bool:
    differs = float(shapely.area(shapely.symmetric_difference(one, other)))
    return differs <= _SAME_SHAPE * float(max(one.area, other.area))
