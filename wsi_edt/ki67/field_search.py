"""The hottest fields among many: bounds say which of them have to be counted cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from wsi_edt.ki67.candidate_fields import Fields, Ladder
from wsi_edt.ki67.outline import Cover, apart, unit_runs
from wsi_edt.ki67.place import Shape
from wsi_edt.ki67.unit_grid import BoolArray, Counted, FloatArray, IntArray, UnitGrid

_FIRST_BATCH, _LARGEST_BATCH = 256, 4096  # fields that are counted at a time


class Order(StrEnum):
    """What hotspots are looked for by."""

    INDEX = "index"
    POSITIVES = "positive cells per mm²"


@dataclass(frozen=True, slots=True)
class FoundField:
    """A field that was looked for: its unit, its size on the ladder, and what it holds."""

    at: int
    size: int
    score: float
    mm2: float


def score_of(order: Order, held: Counted, mm2: FloatArray) -> FloatArray:
    """What fields are ordered by: % or cells/mm², 0 where there is nothing to divide by: (N,)."""
    if order is Order.INDEX:
        return 100 * held.positive / np.maximum(held.cells, 1)
    return held.positive / np.maximum(mm2, 1e-9)


def middle_score(order: Order, fields: Fields) -> FloatArray:
    """About what fields are ordered by: (N,)."""
    both = Counted(fields.fewest.cells + fields.most.cells, fields.fewest.positive + fields.most.positive)
    return score_of(order, both, 2 * fields.mm2)


def hottest(grid: UnitGrid, ladder: Ladder, fields: Fields, order: Order, *, count: int) -> list[FoundField]:
    """The first fields in an order that don't overlap; equal ones by y, then x. Without those that hold no positive cell.

    No more fields are counted cell by cell than may come first: those whose bound isn't below what was found.
    """
    bound = _bound(order, fields)
    ranked = np.lexsort((fields.at, -bound))
    waiting, counted, score = ranked, np.zeros(0, np.int64), np.zeros(0)
    found: list[FoundField] = []
    while len(found) < count:
        batch = _FIRST_BATCH
        best = _best(fields, counted, score)
        while len(waiting) and (best is None or _may_precede(bound, fields, waiting[0], best)):
            tried, waiting = waiting[:batch], waiting[batch:]
            counted = np.concatenate([counted, tried])
            score = np.concatenate([score, _exact_scores(grid, ladder, fields.select(tried), order)])
            best = _best(fields, counted, score)
            batch = min(2 * batch, _LARGEST_BATCH)
        if best is None:
            break
        found.append(best)
        counted_apart, waiting_apart = (
            _apart_from(grid, ladder, fields.select(which), best) for which in (counted, waiting)
        )
        counted, score, waiting = counted[counted_apart], score[counted_apart], waiting[waiting_apart]
    return found


def pick(score: FloatArray, apart_from: Callable[[int], BoolArray], *, count: int) -> list[int]:
    """The first of scored fields that don't overlap, each the first of equal ones: their numbers.

    Parameters
    ----------
    score : (N,); fields without a positive cell have 0 and aren't picked
    apart_from : which of the fields don't overlap one of them, (N,)
    """
    left = score.copy()
    found: list[int] = []
    while len(found) < count and len(left) and left[best := int(np.argmax(left))] > 0:
        found.append(best)
        left[~apart_from(best)] = 0.0
    return found


def _bound(order: Order, fields: Fields) -> FloatArray:
    """The most that fields may reach: their cut units hold no negative cell of theirs, and all positive ones."""
    negative = fields.fewest.cells - fields.fewest.positive
    most = Counted(fields.most.positive + negative, fields.most.positive)
    return score_of(order, most, fields.mm2)


def _best(fields: Fields, counted: IntArray, score: FloatArray) -> FoundField | None:
    if not len(score) or score.max() <= 0:
        return None
    first = np.flatnonzero(score == score.max())
    best = counted[first[np.argmin(fields.at[counted[first]])]]
    return FoundField(
        int(fields.at[best]), int(fields.size[best]), float(score.max()), float(fields.mm2[best])
    )


def _may_precede(bound: FloatArray, fields: Fields, waiting: int, best: FoundField) -> bool:
    """Whether the first of the waiting fields may come before the best."""
    return bool((-bound[waiting], fields.at[waiting]) < (-best.score, best.at))


def _exact_scores(grid: UnitGrid, ladder: Ladder, fields: Fields, order: Order) -> FloatArray:
    """What the fields are ordered by, counted cell by cell; −1 for a size that a field doesn't have."""
    score = np.full(len(fields.at), -1.0)
    for size in np.unique(fields.size):
        own = np.flatnonzero(fields.size == size)
        held = counted_exactly(grid, ladder, fields.at[own], size)
        right = ladder.enough(held.cells, size)
        if size > 0:
            smaller = counted_exactly(grid, ladder, fields.at[own], size - 1)
            right &= smaller.cells < ladder.cells
        score[own] = np.where(right, score_of(order, held, fields.mm2[own]), -1.0)
    return score


def counted_exactly(grid: UnitGrid, ladder: Ladder, at: IntArray, size: int) -> Counted:
    """What fields of one size hold: the cells of the units inside them, and of those that they cut the cells inside."""
    reach = ladder.reach[size]
    inside = unit_runs(ladder.shape, reach, Cover.WHOLE)
    whole = dict(inside)
    starts, ends = [], []
    for row, half in unit_runs(ladder.shape, reach, Cover.TOUCHED):
        middle = at + row * grid.width
        if row in whole:
            starts += [middle - half, middle + whole[row] + 1]
            ends += [middle - whole[row], middle + half + 1]
        else:
            starts.append(middle - half)
            ends.append(middle + half + 1)
    cell, run = grid.cells_of(np.concatenate(starts), np.concatenate(ends))
    own = run % len(at)
    x, y = grid.centre(at)
    dx, dy = grid.x[cell] - x[own], grid.y[cell] - y[own]
    reach_px = ladder.um[size] / grid.unit_um * grid.unit_px / 2
    held = (
        np.maximum(np.abs(dx), np.abs(dy)) <= reach_px
        if ladder.shape is Shape.SQUARE
        else dx * dx + dy * dy <= reach_px * reach_px
    )
    sure = Counted.of(grid.summed(grid.cells_before, at, inside))
    positive = held & grid.is_positive(cell)
    return Counted(
        sure.cells + np.bincount(own[held], minlength=len(at)),
        sure.positive + np.bincount(own[positive], minlength=len(at)),
    )


def _apart_from(grid: UnitGrid, ladder: Ladder, fields: Fields, found: FoundField) -> BoolArray:
    return fields_apart(grid, ladder, fields.at, fields.size, found.at, found.size)


def fields_apart(
    grid: UnitGrid, ladder: Ladder, at: IntArray, size: IntArray, other_at: int, other_size: int
) -> BoolArray:
    """Which fields don't overlap another: (N,)."""
    row, column = np.divmod(at, grid.width)
    other_row, other_column = divmod(other_at, grid.width)
    reach = ladder.reach
    return apart(
        ladder.shape,
        (column - other_column).astype(np.float64),
        (row - other_row).astype(np.float64),
        reach[size] + reach[other_size],
    )
