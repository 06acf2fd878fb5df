"""What a run reports while it goes on."""

from __future__ import annotations

from typing import Protocol

from wsi_edt.report.rows import SummaryRow


class RunProgress(Protocol):
    """Is told about a run's steps, in the thread that runs it; an exception that it raises ends the run."""

    def begun(self, *, slides: int, finished: int) -> None:
        """The run has that many slides, of which some were finished by an earlier run."""

    def planned(self, slide: str, *, tiles: int, tiles_stored: int) -> None:
        """A slide has that many tiles, of which an earlier run has stored some."""

    def note(self, line: str) -> None:
        """Something that a user should know."""

    def stored(self, slide: str, *, tiles: int, cells: int) -> None:
        """A shard of that many tiles is in the slide's store."""

    def ended(self, row: SummaryRow) -> None:
        """A slide is finished or has failed."""


class NoProgress:
    """Reports nothing."""

    def begun(self, *, slides: int, finished: int) -> None:
        """Nothing."""

    def planned(self, slide: str, *, tiles: int, tiles_stored: int) -> None:
        """Nothing."""

    def note(self, line: str) -> None:
        """Nothing."""

    def stored(self, slide: str, *, tiles: int, cells: int) -> None:
        """Nothing."""

    def ended(self, row: SummaryRow) -> None:
        """Nothing."""


def counted(number: int, word: str) -> str:
    """A number with its word: "1 slide", "2,000 slides"."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")
