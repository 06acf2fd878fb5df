"""What remains of a hotspot once it is not measured by the same cells that it was found by.

The hottest of many fields owes a part of its height to chance. The cells of the slide are split at random into two halves:
hotspots are looked for in one and measured in the other, and the other way round; several splits are averaged. By
chance a cell of one half says nothing of the other's, so that on a slide without any hotspot what remains is, on average,
the slide's own index (Cox 1975, on choosing with one part of the data and judging with the rest). Where there is one,
half of the cells find it a little less surely, and what remains is slightly low.

Resampling was tried for the same and left too much: resampled blocks still hold their hot field as it is, and
resampled cells repeat half of its chance (`workflows/benchmarks/hotspots.py` has the figures).

A half's cells share with the other's what lies closely together on this section: a clump of positive cells stays hot. So
it should: it is there. Chance is what is taken away, not what a neighbouring section would lack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wsi_edt.ki67.candidate_fields import Fields, Ladder, grown, hotspot_places, tissue_mm2
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.field_search import FoundField, Order, fields_apart, middle_score, pick, score_of
from wsi_edt.ki67.outline import Cover, unit_runs
from wsi_edt.ki67.unit_grid import BoolArray, Counted, FloatArray, IntArray, UnitGrid

SPLITS = 4  # each in both directions; 16 change what remains by 0.5 points a slide, and its mean by 0.1
SEED = 671
# Fields so many standard deviations (of chance between halves) below the last that was found are not looked at: they
# hardly ever win in half of the cells, and the mean of what remains is the same with them.
NEAR_SD = 3.0
_Z = 1.959964  # 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class _Measured:
    """A field found in one half, by the cells of the other."""

    cells: int
    positive: int
    mm2: float

    def score(self, order: Order) -> float:
        held = Counted(np.array([self.cells]), np.array([self.positive]))
        return float(score_of(order, held, np.array([self.mm2]))[0])


def remaining(
    grid: UnitGrid, ladder: Ladder, fields: Fields, found: Mapping[Order, Sequence[FoundField]]
) -> dict[Order, list[Estimate | None]]:
    """For each hotspot that was found, in its order, what remains of it; None if halves of the cells find none there."""
    near = np.any([_near(order, fields, spots) for order, spots in found.items()], axis=0)
    half = ladder.halved()
    search = _HalfSearch.of(grid, half, fields.select(near))
    measured: dict[Order, list[list[_Measured]]] = {order: [[] for _ in found[order]] for order in found}
    rng = np.random.default_rng(SEED)
    for _ in range(SPLITS):
        one = grid.counted_before(rng.integers(0, 2, len(grid.x), dtype=np.bool_))
        other = grid.cells_before - one
        for searched, measuring in ((one, other), (other, one)):
            by_order = search.measured(
                searched, measuring, {order: len(spots) for order, spots in found.items()}
            )
            for order, fields_of_order in by_order.items():
                for rank, field in enumerate(fields_of_order):
                    measured[order][rank].append(field)
    return {order: [_estimate(order, each) for each in ranks] for order, ranks in measured.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _HalfSearch:
    """Looks for hotspots in half of the cells.

    Attributes
    ----------
    ladder : for half of the cells
    at, start : (N,) the fields' units, and sizes that they certainly don't fall below
    mm2 : by size and field, (sizes, N); NaN below a field's start
    """

    grid: UnitGrid
    ladder: Ladder
    at: IntArray
    start: IntArray
    mm2: FloatArray

    @classmethod
    def of(cls, grid: UnitGrid, ladder: Ladder, fields: Fields) -> _HalfSearch:
        at, number = np.unique(fields.at, return_inverse=True)
        start = np.full(len(at), ladder.last)
        np.minimum.at(start, number, fields.size)
        start = np.maximum(start - 1, 0)  # half of the cells may reach their half a size earlier
        mm2 = np.full((len(ladder.um), len(at)), np.nan)
        for size in range(len(ladder.um)):
            own = np.flatnonzero((start <= size) & (size <= start + 3))
            mm2[size, own] = tissue_mm2(grid, ladder, at[own], size)
        return cls(grid, ladder, at, start, mm2)

    def measured(
        self, searched: IntArray, measuring: IntArray, counts: Mapping[Order, int]
    ) -> dict[Order, list[_Measured]]:
        """The hottest fields of one half of the cells, measured by the other.

        Parameters
        ----------
        searched, measuring : the halves, as sums over the units
        counts : how many fields are looked for
        """
        size, held = self._grown(searched)
        some = np.maximum(size, 0)
        mm2 = self.mm2[some, np.arange(len(size))]
        enough = (size >= 0) & hotspot_places(self.grid, self.ladder, self.at, some, mm2)
        found: dict[Order, list[_Measured]] = {}
        for order, count in counts.items():
            score = np.where(enough, score_of(order, held, mm2), 0.0)
            picked = pick(score, lambda best: self._apart_from(best, size), count=count)
            found[order] = [self._by(measuring, best, int(size[best]), float(mm2[best])) for best in picked]
        return found

    def _grown(self, searched: IntArray) -> tuple[IntArray, Counted]:
        """The size that each field has by these cells, −1 if none, and what it holds of them."""
        size, sums = np.full(len(self.at), -1), np.zeros(len(self.at), np.int64)
        for number, own, held in grown(self.grid, self.ladder, searched, self.at, self.start):
            size[own], sums[own] = number, held
        return size, Counted.of(sums)

    def _apart_from(self, best: int, size: IntArray) -> BoolArray:
        return fields_apart(self.grid, self.ladder, self.at, size, int(self.at[best]), int(size[best]))

    def _by(self, measuring: IntArray, best: int, size: int, mm2: float) -> _Measured:
        runs = unit_runs(self.ladder.shape, self.ladder.reach[size], Cover.CENTRED)
        held = Counted.of(self.grid.summed(measuring, self.at[best : best + 1], runs))
        return _Measured(
            int(held.cells[0]), int(held.positive[0]), mm2 / 2
        )  # half of the cells: half the area


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


def _estimate(order: Order, measured: Sequence[_Measured]) -> Estimate | None:
    """The mean of what was measured, and its interval; None if most halves found no such field.

    The interval takes a field's cells (twice a half's) for independent, and adds how far the measurements differ, by the
    number of them: they are of one slide's cells, over and over.
    """
    if len(measured) < SPLITS:
        return None
    scores = np.array([field.score(order) for field in measured])
    value, between = float(scores.mean()), float(scores.var()) / len(scores)
    if order is Order.INDEX:
        cells = 2 * float(np.mean([field.cells for field in measured]))
        within = value * (100 - value) / cells
        return _share_estimate(value, cells * within / (within + between) if within else cells)
    mm2 = 2 * float(np.mean([field.mm2 for field in measured]))
    within = value / mm2
    return _density_estimate(value, mm2 * within / (within + between) if within else mm2)


def _share_estimate(percent: float, cells: float) -> Estimate:
    """A share of so many cells with its 95 % interval (Wilson 1927)."""
    share, z2 = percent / 100, _Z**2
    middle = (share + z2 / (2 * cells)) / (1 + z2 / cells)
    half = _Z * np.sqrt(share * (1 - share) / cells + z2 / (4 * cells**2)) / (1 + z2 / cells)
    return Estimate(percent, float(100 * max(middle - half, 0)), float(100 * min(middle + half, 1)))


def _density_estimate(per_mm2: float, mm2: float) -> Estimate:
    """A density of independent points counted in so many mm² with its 95 % interval (the score interval of a count)."""
    count = per_mm2 * mm2
    middle, half = count + _Z**2 / 2, _Z * np.sqrt(count + _Z**2 / 4)
    return Estimate(per_mm2, float(max(middle - half, 0) / mm2), float((middle + half) / mm2))
