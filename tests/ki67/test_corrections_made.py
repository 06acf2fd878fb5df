from __future__ import annotations

from datetime import UTC, datetime

from shapely import box

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
)
from wsi_edt.ki67.corrections_made import CorrectionsMade

NOON, ONE = datetime(2026, 11, 28, 12, tzinfo=UTC), datetime(2026, 11, 28, 13, tzinfo=UTC)
NEXT_DAY = datetime(2026, 11, 29, 12, tzinfo=UTC)


def cells(*indices: int) -> NamedCells:
    zeros = tuple(0.0 for _ in indices)
    return NamedCells(indices, zeros, zeros, tuple("Positive" for _ in indices))


def test_what_one_person_does_in_a_row_is_one_step() -> None:
    record = Record().with_new([Flip(cells(1)), Flip(cells(2, 3))], who="ada", when=NOON)
    record = record.with_new([Flip(cells(4))], who="ada", when=ONE)
    record = record.with_new([Flip(cells(5))], who="bob", when=ONE)
    record = record.with_new([Flip(cells(6))], who="bob", when=NEXT_DAY)
    steps = CorrectionsMade.of(record, slide_mpp=1.0, unknown=0).steps
    assert [(step.who, step.entries, step.text) for step in steps] == [
        ("ada", (1, 3), "4 cells flipped"),
        ("bob", (4, 4), "1 cell flipped"),
        ("bob", (5, 5), "1 cell flipped"),
    ]
    assert (steps[0].first, steps[0].last) == (NOON, ONE)


def test_each_kind_is_said_and_what_is_undone_is_marked() -> None:
    made: list[Correction] = [
        Delete(cells(1, 2)),
        Add(1, 1, "Positive"),
        Add(2, 2, "Negative"),
        Add(3, 3, "Positive"),
        Exclude(box(0, 0, 1000, 500)),
        MakeRegion("core", box(0, 0, 2000, 1000), "Tumor"),
        Threshold(0.35),
        Undo(1),
        Undo(5),
        Redo(5),
    ]
    record = Record().with_new(made, who="ada", when=NOON)
    steps = CorrectionsMade.of(record, slide_mpp=1.0, unknown=0).steps
    assert [(step.text, step.undone) for step in steps] == [
        ("2 cells deleted", True),
        ("2 positive and 1 negative cells added", False),
        ("1 area of 0.5 mm² excluded", False),
        ("region 'core' of class Tumor drawn, 2 mm²", False),
        ("threshold set to 0.35", False),
        ("correction 1 undone", False),
        ("correction 5 undone", False),
        ("correction 5 done again", False),
    ]
