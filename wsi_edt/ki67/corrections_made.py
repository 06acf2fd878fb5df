"""What a result owes to a person's corrections, in steps for reading; corrections.json has each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import shapely

from wsi_edt.corrections import (
    Add,
    Correction,
    Delete,
    Entry,
    Exclude,
    Flip,
    MakeRegion,
    Record,
    Redo,
    Threshold,
    Undo,
)
from wsi_edt.geometry import area_mm2
from wsi_edt.ki67.text import count


@dataclass(frozen=True, slots=True)
class Step:
    """Corrections of one person, one kind and one day, without others between them.

    Attributes
    ----------
    entries : the ids of the first and the last of them
    first, last : when, in UTC
    text : what was done: "14 cells flipped"
    undone : whether none of it counts any more
    """

    who: str
    entries: tuple[int, int]
    first: datetime
    last: datetime
    text: str
    undone: bool


@dataclass(frozen=True, slots=True)
class CorrectionsMade:
    """The corrections that a result is made with.

    Attributes
    ----------
    revision : of their record
    steps : in their order
    unknown : how many cells they name that aren't there: another run found others
    """

    revision: int
    steps: tuple[Step, ...]
    unknown: int = 0

    @classmethod
    def of(cls, record: Record, *, slide_mpp: float, unknown: int) -> CorrectionsMade:
        """The steps of a record; `slide_mpp` is µm per level-0 px."""
        return cls(record.revision, tuple(_steps(record, slide_mpp)), unknown)


def corrections_in_words(corrections: Iterable[Correction], *, slide_mpp: float) -> list[str]:
    """What corrections do, those of a kind that follow each other in one line; `slide_mpp` is µm per level-0 px."""
    return [_in_words(list(group), slide_mpp) for _, group in groupby(corrections, _kind)]


def _kind(correction: Correction) -> tuple[object, ...]:
    # Each undo, region and threshold has something of its own to tell.
    alone = isinstance(correction, Undo | Redo | MakeRegion | Threshold)
    return type(correction), correction if alone else None


def _steps(record: Record, slide_mpp: float) -> Iterator[Step]:
    active = {entry.id for entry in record.active}

    def kind(entry: Entry) -> tuple[object, ...]:
        return entry.who, entry.when.date(), entry.id in active, _kind(entry.correction)

    for _, group in groupby(record.entries, kind):
        entries = list(group)
        undone = entries[0].id not in active and not isinstance(entries[0].correction, Undo | Redo)
        text = _in_words([entry.correction for entry in entries], slide_mpp)
        one, other = entries[0], entries[-1]
        yield Step(one.who, (one.id, other.id), one.when, other.when, text, undone)


def _in_words(corrections: list[Correction], slide_mpp: float) -> str:
    """What corrections of one kind do."""
    match corrections[0]:
        case Flip():
            return f"{_cells(corrections)} flipped"
        case Delete():
            return f"{_cells(corrections)} deleted"
        case Add():
            labels = [one.class_name.lower() for one in corrections if isinstance(one, Add)]
            parts = [f"{count(labels.count(label))} {label}" for label in dict.fromkeys(labels)]
            return f"{' and '.join(parts)} cell{'s' * (len(labels) > 1)} added"
        case Exclude():
            mm2 = sum(
                area_mm2(shapely.area(one.polygon), slide_mpp)
                for one in corrections
                if isinstance(one, Exclude)
            )
            return f"{_counted(len(corrections), 'area')} of {mm2:.3g} mm² excluded"
        case MakeRegion(name=name, class_name=class_name, polygon=polygon):
            of_class = f" of class {class_name}" if class_name else ""
            return f"region {name!r}{of_class} drawn, {area_mm2(shapely.area(polygon), slide_mpp):.3g} mm²"
        case Threshold(value=value):
            return f"threshold set to {value:g}"
        case Undo(entry=number):
            return f"correction {number} undone"
        case Redo(entry=number):
            return f"correction {number} done again"


def _cells(corrections: list[Correction]) -> str:
    named = [one.cells.index for one in corrections if isinstance(one, Flip | Delete)]
    return _counted(sum(map(len, named)), "cell")


def _counted(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'s' * (number != 1)}"
