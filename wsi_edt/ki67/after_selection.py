"""What remains of a hotspot once it is not measured by the same cells that it was found by.

The hottest of many fields owes a part of its height to chance: which of its cells are positive. The cells of the slide
are split at random into two halves; the hottest field of one is measured in the other, and the other way round, and
several splits are averaged. What one half owes to chance the other doesn't share, so that on a slide without any hotspot
what remains is, on average, the slide's own index (Cox 1975, on choosing by one part of the data and judging by the rest).
Where there is one, half of the cells find it a little less surely, and what remains may be slightly low.

Where the cells lie, and so how large the fields are, is taken as it is: a density is the index that remains, times all
cells per mm². Counting each half's cells per mm² instead takes nuclei for points that fall anywhere; they keep a distance
from each other, so that where one half has many the other has few, and what remained was 9 to 13 % too low.

Resampling was tried for the same (`workflows/benchmarks/hotspots.py`). On slides of 20 % everywhere the hottest field has
24.9 %; resampled blocks, which still hold their hot field as it is, leave 23.5 %, resampled cells 21.0 %, halves 19.8 ±
0.2 %. Of a true hotspot of 39.9 % found as 41.9 %, halves leave 39.7 %.

What lies close together on this section is in both halves: a clump of positive cells stays hot, as it should. Chance is
what is taken away, not what a neighbouring section would lack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from wsi_edt.ki67.candidate_fields import Fields, Ladder, grown, hotspot_places, tissue_mm2
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.field_search import FoundField, Order, fields_apart, middle_score, pick
from wsi_edt.ki67.outline import Cover, unit_runs
from wsi_edt.ki67.unit_grid import BoolArray, Counted, FloatArray, IntArray, UnitGrid
from wsi_edt.ki67.wilson import wilson

SPLITS = 4  # each in both directions
SEED = 671
# Fields so many standard deviations (of chance between halves) below the last that was found are not looked at: they
# hardly ever win in half of the cells, and the mean of what remains is the same with them.
NEAR_SD = 3.0


@dataclass(frozen=True, slots=True)
class _Measured:
    """A field found in one half, by the cells of the other: how many, the share of positive ones, and what 1 of it is."""

    cells: int
    share: float
    scale: float


def remaining(
    grid: UnitGrid, ladder: Ladder, fields: Fields, found: Mapping[Order, Sequence[FoundField]]
) -> dict[Order, list[Estimate | None]]:
    """For each hotspot that was found, in its order, what remains of it; None if halves of the cells find none there."""
    near = np.any([_near(order, fields, spots) for order, spots in found.items()], axis=0)
    searched = _Searched.of(grid, ladder, fields.select(near))
    measured: dict[Order, list[list[_Measured]]] = {order: [[] for _ in found[order]] for order in found}
    rng = np.random.default_rng(SEED)
    for _ in range(SPLITS):
        one = searched.held(grid.counted_before(rng.integers(0, 2, len(grid.x), dtype=np.bool_)))
        other = Counted(searched.all.cells - one.cells, searched.all.positive - one.positive)
        for half, rest in ((one, other), (other, one)):
            for order, spots in found.items():
                for rank, field in enumerate(searched.measured(half, rest, order, count=len(spots))):
                    measured[order][rank].append(field)
    return {order: [_estimate(each) for each in ranks] for order, ranks in measured.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Searched:
    """The fields that halves of the cells may find, as all cells let them grow.

    Attributes
    ----------
    at, size : (N,) their units, and sizes on the ladder
    all : the cells that they hold
    mm2 : (N,) of tissue
    """

    grid: UnitGrid
    ladder: Ladder
    at: IntArray
    size: IntArray
    all: Counted
    mm2: FloatArray

    @classmethod
    def of(cls, grid: UnitGrid, ladder: Ladder, fields: Fields) -> Self:
        """The fields that may be hotspots, each with one size: by the units whose centres lie inside."""
        at, number = np.unique(fields.at, return_inverse=True)
        start = np.full(len(at), ladder.last)
        np.minimum.at(start, number, fields.size)
        start = np.maximum(start - 1, 0)  # their sizes were bounds, by the units that a field touches
        size, sums, mm2 = np.zeros(len(at), np.int64), np.zeros(len(at), np.int64), np.zeros(len(at))
        for reached, own, held in grown(grid, ladder, grid.cells_before, at, start):
            size[own], sums[own] = reached, held
            mm2[own] = tissue_mm2(grid, ladder, at[own], reached)
        kept = hotspot_places(grid, ladder, at, size, mm2) & (sums > 0)
        return cls(grid, ladder, at[kept], size[kept], Counted.of(sums[kept]), mm2[kept])

    def held(self, before: IntArray) -> Counted:
        """What the fields hold of some of the cells, given as sums over the units."""
        sums = np.zeros(len(self.at), np.int64)
        for size in np.unique(self.size):
            own = np.flatnonzero(self.size == size)
            runs = unit_runs(self.ladder.shape, float(self.ladder.reach[size]), Cover.CENTRED)
            sums[own] = self.grid.summed(before, self.at[own], runs)
        return Counted.of(sums)

    def measured(self, half: Counted, rest: Counted, order: Order, *, count: int) -> Iterator[_Measured]:
        """The hottest fields of one half of the cells, measured by the rest."""
        scale = np.full(len(self.at), 100.0) if order is Order.INDEX else self.all.cells / self.mm2
        score = scale * half.positive / np.maximum(half.cells, 1)
        for best in pick(score, self._apart_from, count=count):
            cells = int(rest.cells[best])
            if cells:
                yield _Measured(cells, int(rest.positive[best]) / cells, float(scale[best]))

    def _apart_from(self, best: int) -> BoolArray:
        return fields_apart(
            self.grid, self.ladder, self.at, self.size, int(self.at[best]), int(self.size[best])
        )


def _near(order: Order, fields: Fields, spots: Sequence[FoundField]) -> BoolArray:
    """Which fields half of the cells may find: those nearly as hot as the last that was found."""
    middle = middle_score(order, fields)
    if not spots:
        return np.zeros(len(middle), np.bool_)
    if order is Order.INDEX:
        cells = np.maximum((fields.fewest.cells + fields.most.cells) / 2, 1)
        deviation = np.sqrt(middle * (100 - middle) / cells)
    else:
        deviation = np.sqrt(middle / np.maximum(fields.mm2, 1e-9))
    return np.asarray(middle >= spots[-1].score - NEAR_SD * deviation)


def _estimate(measured: Sequence[_Measured]) -> Estimate | None:
    """The mean of what was measured, and its interval; None if most halves found no such field.

    The interval (Wilson 1927) takes a field's cells, twice a half's, for independent; to their variance it adds that
    between the measurements, by the number of them, since they are of one slide's cells over and over.
    """
    if len(measured) < SPLITS:
        return None
    values = np.array([field.share * field.scale for field in measured])
    scale = float(np.mean([field.scale for field in measured]))
    cells = 2 * float(np.mean([field.cells for field in measured]))
    share = min(float(values.mean()) / scale, 1.0)
    within, between = share * (1 - share) / cells, float(values.var()) / scale**2 / len(values)
    if within:
        cells *= within / (within + between)
    low, high = wilson(share, cells)
    return Estimate(float(values.mean()), scale * low, scale * high)
