"""What corrections make of a slide's cells, whole arrays at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from wsi_edt.cells import CellClass, Cells
from wsi_edt.corrections.kinds import Add, Delete, Exclude, Flip, MakeRegion, NamedCells
from wsi_edt.corrections.record import Entry, Record
from wsi_edt.qupath.regions import Region

IntArray = npt.NDArray[np.int64]

SAME_PLACE_PX = 0.05  # a float32 of a slide of 500,000 px is wrong by 0.02
BY_HAND_SCORE = 1.0  # of added cells
_IGNORED = "Ignore*"
_CLASS_OF = {kind.label: int(kind) for kind in CellClass}


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """A slide's cells after its corrections.

    Attributes
    ----------
    cells : all but deleted ones and those without the score, ordered by y and x, level-0 px
    origin : (N,) int64: of each, its index before; of an added one, minus the id of its entry
    regions : that were drawn, and, of class Ignore*, areas that were excluded
    threshold : that was chosen; None if none was
    unknown : how many cells were named that aren't there: another run found others
    """

    cells: Cells
    origin: IntArray
    regions: tuple[Region, ...]
    threshold: float | None
    unknown: int


def corrected(cells: Cells, record: Record, *, threshold: float) -> Corrected:
    """The cells that a record leaves. A pure function; a million cells take some 50 ms.

    Parameters
    ----------
    cells : all that the run stored, ordered by y and x, level-0 px: the order that the record's indices mean
    threshold : the score that a cell must exceed where the record has none; cells that a person flipped or added stay
    """
    active = record.active
    least = threshold if record.threshold is None else record.threshold
    added = [entry for entry in active if isinstance(entry.correction, Add)]
    every = _with_added(cells, added)
    ids = np.array([entry.id for entry in added], dtype=np.int64)
    lookup = _Lookup(cells, ids)
    odd, deleted = np.zeros(len(every), np.bool_), np.zeros(len(every), np.bool_)
    by_hand = np.arange(len(every)) >= len(cells)
    for entry in active:
        if isinstance(entry.correction, Flip):
            places = lookup.places(entry.correction.cells)
            odd[places] ^= True
            by_hand[places] = True
        elif isinstance(entry.correction, Delete):
            deleted[lookup.places(entry.correction.cells)] = True
    class_id = np.where(odd, flipped_classes(every.class_id), every.class_id)
    kept = np.flatnonzero(~deleted & (by_hand | (every.score > least)))
    kept = kept[_in_order(every, kept, len(cells))]
    origin = np.concatenate([np.arange(len(cells)), -ids])
    return Corrected(
        replace(every, class_id=class_id).select(kept),
        origin[kept],
        tuple(_regions(active)),
        record.threshold,
        lookup.unknown,
    )


def _with_added(cells: Cells, added: list[Entry]) -> Cells:
    """The cells, and behind them those that were added."""
    own = [entry.correction for entry in added]
    placed = [one for one in own if isinstance(one, Add)]
    if not placed:
        return cells
    blank = np.full(len(placed), np.nan, np.float32)
    new = Cells(
        np.array([one.x for one in placed], np.float64),
        np.array([one.y for one in placed], np.float64),
        np.full(len(placed), BY_HAND_SCORE, np.float32),
        np.array([_CLASS_OF[one.class_name] for one in placed], np.uint8),
        None if cells.haematoxylin_od is None else blank,
        None if cells.dab_od is None else blank,
    )
    return Cells.concatenate([cells, new])


def flipped_classes(class_id: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Positive for negative and negative for positive."""
    other = np.arange(len(CellClass), dtype=np.uint8)
    other[[CellClass.POSITIVE, CellClass.NEGATIVE]] = CellClass.NEGATIVE, CellClass.POSITIVE
    return other[class_id]


def _in_order(cells: Cells, kept: IntArray, found: int) -> IntArray:
    """What orders the kept cells by y and x, of which only those behind the first `found` are out of order."""
    first = int(np.searchsorted(kept, found))
    if first == len(kept):
        return np.arange(len(kept))
    # Complex numbers are ordered by their real part, then the other.
    place = cells.y[kept] + 1j * cells.x[kept]
    new = first + np.argsort(place[first:], kind="stable")
    return np.insert(np.arange(first), np.searchsorted(place[:first], place[new], side="right"), new)


def _regions(active: Iterable[Entry]) -> Iterable[Region]:
    for entry in active:
        if isinstance(entry.correction, MakeRegion):
            yield Region(entry.correction.name, entry.correction.polygon, entry.correction.class_name)
        elif isinstance(entry.correction, Exclude):
            yield Region(f"excluded ({entry.id})", entry.correction.polygon, _IGNORED)


class _Lookup:
    """Finds the cells that corrections name among a slide's, with the added ones behind them."""

    def __init__(self, cells: Cells, added: IntArray) -> None:
        self.unknown = 0
        self._cells = cells
        self._added = added
        self._tree: cKDTree | None = None

    def places(self, named: NamedCells) -> IntArray:
        """Where the named cells are; those that aren't there are counted in `unknown`."""
        index = np.array(named.index, np.int64)
        x, y = np.array(named.x, np.float64), np.array(named.y, np.float64)
        kind = np.array([_CLASS_OF[name] for name in named.class_name], np.uint8)
        by_hand = index < 0
        own = np.flatnonzero(np.isin(self._added, -index[by_hand]))  # one whose entry is undone is nowhere
        found = self._found(index[~by_hand], x[~by_hand], y[~by_hand], kind[~by_hand])
        return np.concatenate([found, len(self._cells) + own])

    def _found(
        self,
        index: IntArray,
        x: npt.NDArray[np.float64],
        y: npt.NDArray[np.float64],
        kind: npt.NDArray[np.uint8],
    ) -> IntArray:
        cells = self._cells
        there = np.minimum(index, max(len(cells) - 1, 0))
        same = np.zeros(len(index), np.bool_)
        if len(cells):
            near = np.maximum(np.abs(cells.x[there] - x), np.abs(cells.y[there] - y)) <= SAME_PLACE_PX
            same = (there == index) & near & (cells.class_id[there] == kind)
        if same.all():
            return index
        # Of a run of other regions, or after one of some, the same cell has another index.
        place = self._by_place(x[~same], y[~same])
        known = place < len(cells)
        known[known] = cells.class_id[place[known]] == kind[~same][known]
        self.unknown += int(np.count_nonzero(~known))
        return np.concatenate([index[same], place[known]])

    def _by_place(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> IntArray:
        """The index of the cell at each place; the number of cells where there is none."""
        if self._tree is None:
            self._tree = cKDTree(np.column_stack([self._cells.x, self._cells.y]))
        _, place = self._tree.query(
            np.column_stack([x, y]), p=np.inf, distance_upper_bound=SAME_PLACE_PX * (1 + 1e-9)
        )
        return np.asarray(place, dtype=np.int64)
