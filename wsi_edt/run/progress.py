"""What a run reports while it goes on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from wsi_edt.foreign import translated
from wsi_edt.report.rows import SummaryRow


class RunProgress(Protocol):
    """Is told about a run's steps, in the thread that runs it; an exception that it raises ends no run."""

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


class HarmlessProgress:
    """Passes a run's progress on. What a display raises is told once, as a warning: results don't depend on it.

    Parameters
    ----------
    progress : is told what this is told
    """

    def __init__(self, progress: RunProgress) -> None:
        self._progress = progress
        self._warned = False

    def begun(self, *, slides: int, finished: int) -> None:
        """See `RunProgress`."""
        self._tell(partial(self._progress.begun, slides=slides, finished=finished))

    def planned(self, slide: str, *, tiles: int, tiles_stored: int) -> None:
        """See `RunProgress`."""
        self._tell(partial(self._progress.planned, slide, tiles=tiles, tiles_stored=tiles_stored))

    def note(self, line: str) -> None:
        """See `RunProgress`."""
        self._tell(partial(self._progress.note, line))

    def stored(self, slide: str, *, tiles: int, cells: int) -> None:
        """See `RunProgress`."""
        self._tell(partial(self._progress.stored, slide, tiles=tiles, cells=cells))

    def ended(self, row: SummaryRow) -> None:
        """See `RunProgress`."""
        self._tell(partial(self._progress.ended, row))

    def _tell(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:
            if not self._warned:
                self._warned = True
                with suppress(Exception):  # where warnings are errors
                    warnings.warn(f"the run goes on, but can't show it: {translated(error)}", stacklevel=3)


def counted(number: int, word: str) -> str:
    """A number with its word: "1 slide", "2,000 slides"."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")
