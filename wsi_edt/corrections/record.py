"""All that was corrected on one slide: entries with who and when, to which others are only ever added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from wsi_edt.corrections.kinds import Add, Correction, Delete, Flip, Redo, Threshold, Undo
from wsi_edt.errors import UsageError


@dataclass(frozen=True, slots=True)
class Entry:
    """One correction.

    Attributes
    ----------
    id : its place in the record, from 1
    who : did it
    when : in UTC
    by_file : whether it was read from a file that was edited elsewhere
    """

    id: int
    who: str
    when: datetime
    correction: Correction
    by_file: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """The corrections of one slide, the oldest first; the k-th has the id k."""

    entries: tuple[Entry, ...] = ()

    def __post_init__(self) -> None:
        assert [entry.id for entry in self.entries] == list(range(1, len(self.entries) + 1))

    @property
    def revision(self) -> int:
        """How many entries there are: it rises with each, and the first so many are what it was then."""
        return len(self.entries)

    def at(self, revision: int) -> Record:
        """The record as it was at an earlier revision."""
        return Record(self.entries[:revision])

    @property
    def active(self) -> tuple[Entry, ...]:
        """The entries that count: those that aren't undone, but for undo and redo themselves."""
        counts = {number for number, count in _states(self.entries).items() if count}
        return tuple(entry for entry in self.entries if entry.id in counts)

    @property
    def threshold(self) -> float | None:
        """The threshold that counts: the last one that was set; None if none was."""
        chosen = [one.correction.value for one in self.active if isinstance(one.correction, Threshold)]
        return chosen[-1] if chosen else None

    def as_known_by(self, who: str, *, revision: int) -> Record:
        """The record as somebody knows it who edits a report's cells in a file: with what was there, and own files since.

        Its last entries undo and do again what others did since, so that the ids are those of this record.

        Parameters
        ----------
        revision : that the report was made with
        """
        known = _states(
            entry for entry in self.entries if entry.id <= revision or (entry.by_file and entry.who == who)
        )
        now = _states(self.entries)
        other = [Undo(number) for number, counts in now.items() if counts and not known.get(number)]
        own = [Redo(number) for number, counts in now.items() if known.get(number) and not counts]
        return self.with_new([*other, *own], who=who, when=datetime.now(UTC))

    def with_new(
        self, corrections: Sequence[Correction], *, who: str, when: datetime, by_file: bool = False
    ) -> Record:
        """The record with more corrections at its end.

        Raises
        ------
        UsageError
            If one undoes what doesn't count, redoes what does, or names an added cell that was never added.
        """
        states = _states(self.entries)
        added = {entry.id for entry in self.entries if isinstance(entry.correction, Add)}
        new = []
        for number, correction in enumerate(corrections, start=self.revision + 1):
            _refuse(correction, states, added)
            _count(number, correction, states)
            if isinstance(correction, Add):
                added.add(number)
            new.append(Entry(number, who, when.astimezone(UTC), correction, by_file))
        return Record((*self.entries, *new))


def _states(entries: Iterable[Entry]) -> dict[int, bool]:
    """Whether each entry counts, by its id; undo and redo themselves aren't there."""
    states: dict[int, bool] = {}
    for entry in entries:
        _count(entry.id, entry.correction, states)
    return states


def _count(number: int, correction: Correction, states: dict[int, bool]) -> None:
    match correction:
        case Undo(entry=undone):
            states[undone] = False
        case Redo(entry=redone):
            states[redone] = True
        case _:
            states[number] = True


def _refuse(correction: Correction, states: Mapping[int, bool], added: Set[int]) -> None:
    """UsageError if a correction makes no sense after those before it."""
    match correction:
        case Undo(entry=number):
            if not states.get(number):
                raise UsageError(f"can't undo correction {number}: there is none, or it is undone")
        case Redo(entry=number):
            if states.get(number) is not False:
                raise UsageError(f"can't redo correction {number}: there is none, or it isn't undone")
        case Flip(cells=cells) | Delete(cells=cells):
            strange = next((index for index in cells.index if index < 0 and -index not in added), None)
            if strange is not None:
                raise UsageError(f"can't change the cell that correction {-strange} added: it added none")
        case _:
            pass


NOTHING = Record()
