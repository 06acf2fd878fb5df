"""What a person did to a slide's cells in another program, told by the file that it was given and the file it gave back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from wsi_edt.cells import BoolArray, Cells
from wsi_edt.qupath.cells_in import CellsFound

IntArray = npt.NDArray[np.int64]

# QuPath rounds to 0.01 px, and a circle's centroid is of twelve such points. Nuclei lie at least 2 px apart.
_SAME_PLACE_PX = 0.1
NEW = -1
COPY = -2


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """A file's cells against those that were shown.

    Attributes
    ----------
    seen : (F,) int64, of each cell of the file the number of the one that was shown; `NEW`, or `COPY` for one that lies
        where another of the file does, as after an import that was done twice
    missing : (S,) bool, which of those that were shown aren't in the file
    ignored : (S,) bool, which of them have a class to ignore there
    """

    seen: IntArray
    missing: BoolArray
    ignored: BoolArray


def compared(shown: Cells, ids: Sequence[str], found: CellsFound) -> Edited:
    """Which cells of a file are those that were shown: by their id, else by their place.

    A pure function. A cell that was moved is another one: where it lay one is missing, where it lies one is new.

    Parameters
    ----------
    shown : level-0 px, with the `ids` that they were written with
    found : in the file, level-0 px
    """
    number = {name: k for k, name in enumerate(ids)}
    seen = np.array([number.get(name, NEW) for name in found.ids], np.int64)
    known = np.flatnonzero(seen != NEW)
    moved = _distance(shown, seen[known], found.cells, known) > _SAME_PLACE_PX
    seen[known[moved]] = NEW
    _, first = np.unique(seen, return_index=True)  # an id that stands twice, as copies in a file may
    again = np.ones(len(seen), np.bool_)
    again[first] = False
    seen[again] = NEW
    ignored = np.zeros(len(shown), np.bool_)
    ignored[[number[name] for name in found.ignored if name in number]] = True
    _find_by_place(seen, shown, found.cells, ignored)
    missing = ~ignored
    missing[seen[seen != NEW]] = False
    _mark_copies(seen, found.cells)
    return Edited(seen, missing, ignored)


def _find_by_place(seen: IntArray, shown: Cells, cells: Cells, taken: BoolArray) -> None:
    """Find among those that were shown, and that no id has found, the ones where cells of the file lie."""
    left = np.ones(len(shown), np.bool_)
    left[seen[seen != NEW]] = False
    unseen, left_at = np.flatnonzero(seen == NEW), np.flatnonzero(left & ~taken)
    if not len(unseen) or not len(left_at):
        return
    tree = cKDTree(np.column_stack([shown.x[left_at], shown.y[left_at]]))
    place = np.column_stack([cells.x[unseen], cells.y[unseen]])
    _, near = tree.query(place, p=np.inf, distance_upper_bound=_SAME_PLACE_PX)
    near = np.asarray(near, np.int64)
    _, first = np.unique(near, return_index=True)
    once = np.zeros(len(near), np.bool_)
    once[first] = True
    hit = once & (near < len(left_at))
    seen[unseen[hit]] = left_at[near[hit]]


def _mark_copies(seen: IntArray, cells: Cells) -> None:
    """Mark new cells that lie where a cell that isn't new does, or a new one before them in the file."""
    new = np.flatnonzero(seen == NEW)
    if not len(new):
        return
    order = np.concatenate([np.flatnonzero(seen != NEW), new])
    tree = cKDTree(np.column_stack([cells.x[order], cells.y[order]]))
    for one, other in tree.query_pairs(_SAME_PLACE_PX, p=np.inf):
        later = order[max(one, other)]
        if seen[later] == NEW:
            seen[later] = COPY


def _distance(shown: Cells, at: IntArray, cells: Cells, which: IntArray) -> npt.NDArray[np.float64]:
    return np.maximum(np.abs(shown.x[at] - cells.x[which]), np.abs(shown.y[at] - cells.y[which]))
