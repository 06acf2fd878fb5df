"""All fields that may be hotspots: around which units, and how large each grows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.outline import Cover, unit_runs
from wsi_edt.ki67.place import Place, Shape
from wsi_edt.ki67.unit_grid import SHARES, Counted, FloatArray, IntArray, UnitGrid

BoolArray = npt.NDArray[np.bool_]

GROWTH = math.sqrt(2)  # of the area from one size to the next
LEAST_CELL_UM2 = 40.0  # no nuclei lie more densely over a whole field: smaller ones aren't tried
LEAST_SIZE_UM = 50.0
# Of a field: a straight edge leaves half of one that lies on it, a core of 0.4 mm 0.61 of 0.5 mm².
LEAST_TISSUE = 0.6
LARGEST_PITCH_UNITS = 5
PITCHES_A_SIZE = 16


@dataclass(frozen=True, slots=True)
class Ladder:
    """The sizes that a field may have.

    Attributes
    ----------
    shape : of all fields
    cells : a field has the smallest size at which it holds that many, or the largest
    least_cells : what it has to hold at the largest
    um : diameters or sides, ascending
    unit_um : a unit's side
    """

    shape: Shape
    cells: int
    least_cells: int
    um: tuple[float, ...]
    unit_um: float

    @classmethod
    def of(cls, rule: HotspotRule, *, unit_um: float) -> Self:
        """The ladder from a rule's largest size downwards."""
        um2 = rule.mm2 * 1e6
        sizes: list[float] = []
        while not sizes or (um2 >= rule.cells * LEAST_CELL_UM2 and _across(rule.shape, um2) >= LEAST_SIZE_UM):
            sizes.append(_across(rule.shape, um2))
            um2 /= GROWTH
        return cls(rule.shape, rule.cells, rule.least_cells, tuple(reversed(sizes)), unit_um)

    @property
    def last(self) -> int:
        """The largest size."""
        return len(self.um) - 1

    @property
    def reach(self) -> FloatArray:
        """The radii or half sides, in units: (sizes,)."""
        return np.array(self.um) / (2 * self.unit_um)

    @property
    def pitch(self) -> int:
        """How many units centres lie apart: fields that are neighbours are much alike."""
        return min(max(round(self.um[-1] / PITCHES_A_SIZE / self.unit_um), 1), LARGEST_PITCH_UNITS)

    @property
    def margin(self) -> int:
        """Units around the tissue that a field may reach into."""
        return math.ceil(float(self.reach[-1])) + 2

    def mm2(self, size: IntArray) -> FloatArray:
        """The full area of fields of these sizes."""
        each = [(math.pi / 4 if self.shape is Shape.DISC else 1.0) * (um / 1000) ** 2 for um in self.um]
        return np.array(each)[size]

    def enough(self, cells: IntArray, size: int) -> BoolArray:
        """Whether fields of that size with so many cells are fields of the rule, and don't grow further."""
        return np.asarray(cells >= (self.least_cells if size == self.last else self.cells))


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """N fields, with bounds of what they hold.

    Attributes
    ----------
    at : (N,) the units around whose centres they lie
    size : (N,) their number on the ladder
    mm2 : (N,) of tissue
    fewest, most : the cells of the units that lie inside, and of those that a field touches
    """

    at: IntArray
    size: IntArray
    mm2: FloatArray
    fewest: Counted
    most: Counted

    def select(self, which: BoolArray | IntArray) -> Fields:
        """Some of the fields."""
        return Fields(
            self.at[which],
            self.size[which],
            self.mm2[which],
            Counted(self.fewest.cells[which], self.fewest.positive[which]),
            Counted(self.most.cells[which], self.most.positive[which]),
        )


def centres(grid: UnitGrid, ladder: Ladder) -> IntArray:
    """The units around which fields may lie: half tissue or more, every so many rows and columns of the slide."""
    pitch = ladder.pitch
    first = [(pitch // 2 - corner) % pitch for corner in grid.corner]
    rows, columns = np.nonzero(grid.tissue[first[0] :: pitch, first[1] :: pitch] >= SHARES // 2)
    return (first[0] + pitch * rows) * grid.width + first[1] + pitch * columns


def possible_fields(grid: UnitGrid, ladder: Ladder) -> Fields:
    """The fields of an area, some of them twice where the units that they cut leave their size open.

    Without those that are no `hotspot_places`, and those that hold too few cells at any size.
    """
    parts = [
        Fields(at, np.full(len(at), size), tissue_mm2(grid, ladder, at, size), fewest, most)
        for size, at, fewest, most in _growing(grid, ladder, centres(grid, ladder))
    ]
    none = np.zeros(0, np.int64)
    found = Fields(
        np.concatenate([none, *(part.at for part in parts)]),
        np.concatenate([none, *(part.size for part in parts)]),
        np.concatenate([none.astype(np.float64), *(part.mm2 for part in parts)]),
        _joined([part.fewest for part in parts]),
        _joined([part.most for part in parts]),
    )
    return found.select(hotspot_places(grid, ladder, found.at, found.size, found.mm2))


def hotspot_places(
    grid: UnitGrid, ladder: Ladder, at: IntArray, size: IntArray, mm2: FloatArray
) -> BoolArray:
    """Which fields may be hotspots by where they lie: all on the slide, and enough of them tissue (`mm2`): (N,)."""
    x, y = grid.centre_units(at)
    reach = ladder.reach[size]
    on_slide = np.minimum(np.minimum(x, grid.slide[0] - x), np.minimum(y, grid.slide[1] - y)) >= reach
    return np.asarray(on_slide & (mm2 >= LEAST_TISSUE * ladder.mm2(size)))


def tissue_mm2(grid: UnitGrid, ladder: Ladder, at: IntArray, size: int) -> FloatArray:
    """The tissue of fields of one size: of their area the share that the units hold whose centres lie inside."""
    runs = unit_runs(ladder.shape, ladder.reach[size], Cover.CENTRED)
    held = grid.summed(grid.tissue_before, at, runs)
    units = sum(2 * half + 1 for _, half in runs)
    return held / (SHARES * units) * float(ladder.mm2(np.array(size)))


def grown(
    grid: UnitGrid, ladder: Ladder, before: IntArray, at: IntArray, start: IntArray
) -> Iterator[tuple[int, IntArray, IntArray]]:
    """Fields grown by the units whose centres lie inside: each size, which fields have it, their packed sums.

    Parameters
    ----------
    before : the cells that they grow by, packed
    at, start : (N,) the units that they lie around, and the sizes that they start from
    """
    growing = np.ones(len(at), np.bool_)
    for size, reach in enumerate(ladder.reach):
        tried = np.flatnonzero(growing & (start <= size))
        sums = grid.summed(before, at[tried], unit_runs(ladder.shape, reach, Cover.CENTRED))
        done = ladder.enough(Counted.of(sums).cells, size)
        growing[tried[done]] = False
        if done.any():
            yield size, tried[done], sums[done]


def place_of(grid: UnitGrid, ladder: Ladder, at: int, size: int) -> Place:
    """Where a field lies."""
    x, y = grid.centre(np.array(at))
    um = ladder.um[size]
    return Place(ladder.shape, float(x), float(y), um / grid.unit_um * grid.unit_px, um)


def _growing(
    grid: UnitGrid, ladder: Ladder, at: IntArray
) -> Iterator[tuple[int, IntArray, Counted, Counted]]:
    """Each size, the units of the fields that may have it, and the bounds of what they hold."""
    start = _first_sizes(grid, ladder, at)
    growing = np.ones(len(at), np.bool_)
    for size, reach in enumerate(ladder.reach):
        tried = np.flatnonzero(growing & (start <= size))
        most = grid.summed(grid.cells_before, at[tried], unit_runs(ladder.shape, reach, Cover.TOUCHED))
        may = ladder.enough(Counted.of(most).cells, size)
        tried, most = tried[may], most[may]
        fewest = grid.summed(grid.cells_before, at[tried], unit_runs(ladder.shape, reach, Cover.WHOLE))
        growing[tried[Counted.of(fewest).cells >= ladder.cells]] = False
        if len(tried):
            yield size, at[tried], Counted.of(fewest), Counted.of(most)


def _first_sizes(grid: UnitGrid, ladder: Ladder, at: IntArray) -> IntArray:
    """For each unit the smallest size at which the square around it holds enough: no field around it is smaller."""
    table = np.zeros((len(grid.cells_before) // grid.width + 1, grid.width + 1), np.int64)
    each = np.diff(grid.cells_before).reshape(-1, grid.width)
    np.cumsum(each, axis=0, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
    row, column = np.divmod(at, grid.width)
    first = np.full(len(at), ladder.last)
    for size in reversed(range(ladder.last)):
        half = math.floor(ladder.reach[size] + 0.5 + 1e-6)
        top, left, bottom, right = row - half, column - half, row + half + 1, column + half + 1
        held = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
        first[Counted.of(held).cells >= ladder.cells] = size
    return first


def _across(shape: Shape, um2: float) -> float:
    return math.sqrt(um2 * 4 / math.pi) if shape is Shape.DISC else math.sqrt(um2)


def _joined(parts: list[Counted]) -> Counted:
    none = np.zeros(0, np.int64)
    return Counted(
        np.concatenate([none, *(part.cells for part in parts)]),
        np.concatenate([none, *(part.positive for part in parts)]),
    )
