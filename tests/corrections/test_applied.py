from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from shapely import box

from wsi_edt.cells import CellClass, Cells
from wsi_edt.corrections import (
    Add,
    Correction,
    Delete,
    Exclude,
    Flip,
    MakeRegion,
    NamedCells,
    Record,
    Redo,
    Threshold,
    Undo,
    corrected,
)
from wsi_edt.corrections.kinds import Label

NEGATIVE, POSITIVE, NUCLEUS = CellClass.NEGATIVE, CellClass.POSITIVE, CellClass.NUCLEUS
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def cells_of(*rows: tuple[float, float, float, int]) -> Cells:
    x, y, score, kind = zip(*rows, strict=True)
    return Cells(
        np.array(x, float), np.array(y, float), np.array(score, np.float32), np.array(kind, np.uint8)
    )


FIVE = cells_of(
    (10, 1, 0.9, POSITIVE),
    (30, 1, 0.3, NEGATIVE),
    (20, 2, 0.8, NEGATIVE),
    (5, 3, 0.5, POSITIVE),
    (7, 9, 0.7, NUCLEUS),
)


LABELS: list[Label] = ["Negative", "Positive", "Nucleus"]  # as arrays number them


def named(*indices: int, cells: Cells = FIVE, shift: float = 0.0) -> NamedCells:
    at = list(indices)
    labels = tuple(LABELS[kind] for kind in cells.class_id[at])
    return NamedCells(indices, tuple(cells.x[at] + shift), tuple(cells.y[at]), labels)


def record(*corrections: Correction) -> Record:
    return Record().with_new(corrections, who="ada", when=NOON)


def rows(cells: Cells) -> list[tuple[float, float, int]]:
    return list(zip(cells.x.tolist(), cells.y.tolist(), cells.class_id.tolist(), strict=True))


def test_nothing_corrected_is_what_exceeds_the_threshold() -> None:
    left = corrected(FIVE, Record(), threshold=0.4)
    assert rows(left.cells) == [(10, 1, POSITIVE), (20, 2, NEGATIVE), (5, 3, POSITIVE), (7, 9, NUCLEUS)]
    assert left.origin.tolist() == [0, 2, 3, 4]
    assert (left.regions, left.threshold, left.unknown) == ((), None, 0)


def test_flips_deletes_and_adds_cells_in_order() -> None:
    made = record(Flip(named(0, 2)), Delete(named(3)), Add(25, 1, "Positive"), Add(1, 0.5, "Negative"))
    left = corrected(FIVE, made, threshold=0.0)
    assert rows(left.cells) == [
        (1, 0.5, NEGATIVE),
        (10, 1, NEGATIVE),
        (25, 1, POSITIVE),
        (30, 1, NEGATIVE),
        (20, 2, POSITIVE),
        (7, 9, NUCLEUS),
    ]
    assert left.origin.tolist() == [-4, 0, -3, 1, 2, 4]
    assert left.cells.score.tolist() == pytest.approx([1, 0.9, 1, 0.3, 0.8, 0.7])


def test_two_flips_of_a_cell_leave_it_and_either_can_be_undone() -> None:
    twice = record(Flip(named(0)), Flip(named(0)))
    assert corrected(FIVE, twice, threshold=0).cells.class_id[0] == POSITIVE
    for one in (1, 2):
        undone = twice.with_new([Undo(one)], who="ada", when=NOON)
        assert corrected(FIVE, undone, threshold=0).cells.class_id[0] == NEGATIVE
    again = twice.with_new([Undo(1), Redo(1)], who="ada", when=NOON)
    assert corrected(FIVE, again, threshold=0).cells.class_id[0] == POSITIVE


def test_added_cells_can_be_flipped_and_deleted_and_vanish_with_their_entry() -> None:
    added = NamedCells((-1,), (25.0,), (1.0,), ("Positive",))
    made = record(Add(25, 1, "Positive"), Flip(added))
    assert (25, 1, NEGATIVE) in rows(corrected(FIVE, made, threshold=0).cells)
    assert len(corrected(FIVE, record(Add(25, 1, "Positive"), Delete(added)), threshold=0).cells) == 5
    left = corrected(FIVE, made.with_new([Undo(1)], who="ada", when=NOON), threshold=0)
    assert (len(left.cells), left.unknown) == (5, 0)


def test_the_last_threshold_counts_but_not_for_what_a_person_flipped_or_added() -> None:
    made = record(
        Threshold(0.6), Flip(named(1)), Add(25, 1, "Positive"), Threshold(0.75), Threshold(0.1), Undo(5)
    )
    left = corrected(FIVE, made, threshold=0.0)
    assert left.threshold == 0.75
    assert left.origin.tolist() == [0, -3, 1, 2]


def test_areas_become_regions() -> None:
    made = record(MakeRegion("core", box(0, 0, 9, 9), "Tumor"), Exclude(box(1, 1, 2, 2)))
    region, excluded = corrected(FIVE, made, threshold=0).regions
    assert (region.name, region.class_name, region.polygon.area) == ("core", "Tumor", 81)
    assert (excluded.ignored, excluded.polygon.area) == (True, 1)


def test_cells_are_found_where_they_lie_if_the_indices_are_of_a_run_of_other_regions() -> None:
    fewer = FIVE.select(np.array([2, 3, 4]))
    left = corrected(fewer, record(Flip(named(2)), Delete(named(0))), threshold=0)
    assert rows(left.cells) == [(20, 2, POSITIVE), (5, 3, POSITIVE), (7, 9, NUCLEUS)]
    assert left.unknown == 1


@pytest.mark.parametrize("which", ["moved", "of another class"])
def test_a_cell_of_another_run_isnt_taken_for_the_one_that_was_corrected(which: str) -> None:
    other = (
        NamedCells((0,), (10.0,), (1.0,), ("Negative",))
        if which == "of another class"
        else named(0, shift=0.1)
    )
    left = corrected(FIVE, record(Flip(other)), threshold=0)
    assert left.unknown == 1
    assert rows(left.cells) == rows(FIVE)


def test_places_may_be_as_a_page_has_them() -> None:
    far = cells_of((123_456.789, 98_765.4321, 0.9, POSITIVE))
    seen = NamedCells((0,), (float(np.float32(far.x[0])),), (float(np.float32(far.y[0])),), ("Positive",))
    assert corrected(far, record(Flip(seen)), threshold=0).unknown == 0


def test_cells_are_named_as_they_lie_in_the_store() -> None:
    assert NamedCells.of(FIVE, [2, 0, 4]) == named(2, 0, 4)


def test_a_slide_without_cells_takes_added_ones() -> None:
    left = corrected(Cells.empty(), record(Add(5, 6, "Positive"), Delete(named(0))), threshold=0.5)
    assert rows(left.cells) == [(5, 6, POSITIVE)]
    assert left.unknown == 1


def test_many_corrections_are_what_cell_by_cell_gives() -> None:
    rng = np.random.default_rng(3)
    many = cells_of(
        *(
            (float(x), float(y), float(rng.random()), int(rng.integers(2)))
            for y in range(30)
            for x in range(40)
        )
    )
    made = Record()
    expected = {k: int(kind) for k, kind in enumerate(many.class_id)}
    for _ in range(20):
        some = rng.choice(len(many), 30, replace=False).tolist()
        if rng.random() < 0.6:
            made = made.with_new([Flip(named(*some, cells=many))], who="ada", when=NOON)
            expected = {k: 1 - kind if k in some else kind for k, kind in expected.items()}
        else:
            made = made.with_new([Delete(named(*some, cells=many))], who="ada", when=NOON)
            expected = {k: kind for k, kind in expected.items() if k not in some}
    left = corrected(many, made, threshold=0.0)
    # A deleted cell stays away whatever happened to it since, so that the order of both doesn't matter.
    assert dict(zip(left.origin.tolist(), left.cells.class_id.tolist(), strict=True)) == expected
