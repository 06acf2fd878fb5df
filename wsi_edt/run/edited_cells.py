"""The corrections that a file's cells ask for: what its author changed of the cells that they know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.corrections import Add, Corrected, Correction, Delete, Flip, NamedCells, Record, corrected
from wsi_edt.corrections.edited import COPY, NEW, Edited
from wsi_edt.corrections.kinds import label_of

Place = tuple[float, float]  # level-0 px, in hundredths


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """The two sides that a file is held against, and the cells that all three have in common.

    Attributes
    ----------
    every : all cells that the run stored
    record : as it is now
    known : the record as the file's author knows it, see `Record.as_known_by`
    revision : of the report that the file was made from
    shown : the cells of that report's cells.geojson
    threshold : of that report
    """

    every: Cells
    record: Record
    known: Record
    revision: int
    shown: Corrected
    threshold: float


def cell_corrections(sides: Sides, file: Cells, changes: Edited, *, partial: bool) -> Iterator[Correction]:
    """What makes the cells as they are now into what a file's author wants; what others corrected since stays.

    Parameters
    ----------
    file : its cells, level-0 px
    changes : of them against `sides.shown`
    partial : whether cells that the file lacks stay
    """
    asked = _Asked()
    known = corrected(sides.every, sides.known, threshold=sides.threshold)
    now = corrected(sides.every, sides.record, threshold=sides.threshold)
    class_then, class_now = _classes(known), _classes(now)
    kinds, shown = file.class_id.tolist(), sides.shown
    places: dict[Place, int] = {}  # of the file's cells that its author added
    for k, seen in enumerate(changes.seen.tolist()):
        origin = int(shown.origin[seen]) if seen >= 0 else 0
        if seen == NEW or (seen >= 0 and origin not in class_then):
            places[_place(file.x[k], file.y[k])] = k
        elif seen != COPY and kinds[k] != class_then[origin]:
            place = float(shown.cells.x[seen]), float(shown.cells.y[seen])
            asked.change(origin, class_now.get(origin), kinds[k], place)
    gone = changes.ignored if partial else changes.ignored | changes.missing
    asked.deleted += [origin for origin in shown.origin[gone].tolist() if origin in class_then]
    own = {place: origin for place, origin in _added(known) if -origin > sides.revision}
    there = {(place, class_now[origin]) for place, origin in _added(now)}
    for place, k in places.items():
        x, y = float(file.x[k]), float(file.y[k])
        if place in own:
            if kinds[k] != class_then[own[place]]:
                asked.change(own[place], class_now.get(own[place]), kinds[k], (x, y))
        elif (place, kinds[k]) not in there:
            asked.added.append(Add(x, y, label_of(kinds[k])))
    if not partial:
        asked.deleted += [origin for place, origin in own.items() if place not in places]
    yield from asked.corrections(sides, class_now.keys())


@dataclass(slots=True)
class _Asked:
    """What a file's author asks for; cells by their origin, see `Corrected.origin`."""

    flipped: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    added: list[Add] = field(default_factory=list)

    def change(self, origin: int, now: int | None, wanted: int, place: tuple[float, float]) -> None:
        """The cell is to have that class."""
        if now is None or now == wanted:
            return
        if CellClass.NUCLEUS in (wanted, now):  # which can't be flipped
            self.deleted.append(origin)
            self.added.append(Add(*place, label_of(wanted)))
        else:
            self.flipped.append(origin)

    def corrections(self, sides: Sides, present: Iterable[int]) -> Iterator[Correction]:
        """All of it, of the cells that are there."""
        there = set(present)
        if flipped := sorted(there.intersection(self.flipped)):
            yield Flip(_named(flipped, sides))
        if deleted := sorted(there.intersection(self.deleted)):
            yield Delete(_named(deleted, sides))
        yield from self.added


def _place(x: float, y: float) -> Place:
    return round(float(x), 2), round(float(y), 2)


def _classes(cells: Corrected) -> dict[int, int]:
    """The class of each cell by its origin."""
    return dict(zip(cells.origin.tolist(), cells.cells.class_id.tolist(), strict=True))


def _added(cells: Corrected) -> Iterator[tuple[Place, int]]:
    """Where each cell lies that was added, and its origin."""
    by_hand = np.flatnonzero(cells.origin < 0)
    for k in by_hand.tolist():
        yield _place(cells.cells.x[k], cells.cells.y[k]), int(cells.origin[k])


def _named(origins: list[int], sides: Sides) -> NamedCells:
    """The cells of these origins, ascending, as corrections name them."""
    found = [origin for origin in origins if origin >= 0]
    parts = [NamedCells.of(sides.every, found)] if found else []
    for origin in origins:
        added = sides.record.entries[-origin - 1].correction if origin < 0 else None
        if isinstance(added, Add):
            parts.append(NamedCells((origin,), (added.x,), (added.y,), (added.class_name,)))
    return NamedCells.joined(parts)
