"""How a run shows itself: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from wsi_edt.errors import printable
from wsi_edt.report.rows import Status, SummaryRow
from wsi_edt.run.progress import counted


class _Counts:
    """What both displays count; the rate is that of this run's tiles since the first slide was planned."""

    def __init__(self) -> None:
        self.slides = self.ended = self.failed = 0
        self.tiles = self.done = self.cells = self.shards = 0
        self._stored: list[tuple[float, int]] = []

    def plan(self) -> None:
        if not self._stored:
            self._stored = [(time.monotonic(), 0)]

    def store(self, tiles: int, cells: int) -> None:
        self.done += tiles
        self.cells += cells
        self.shards += 1
        # The last minute or so of shards: the rate now, not what it was on other slides.
        self._stored = [*self._stored[-199:], (time.monotonic(), tiles)]

    @property
    def tiles_per_second(self) -> float | None:
        if len(self._stored) < 2:
            return None
        seconds = self._stored[-1][0] - self._stored[0][0]
        return sum(tiles for _, tiles in self._stored[1:]) / seconds if seconds > 0 else None

    def end(self, row: SummaryRow) -> None:
        self.ended += 1
        self.failed += row.status is Status.FAILED

    def stopped(self) -> str:
        return (
            f"Stopped: {self.ended} of {counted(self.slides, 'slide')} ended, {counted(self.shards, 'shard')} "
            "stored by this run. The same command continues from there."
        )


def rate_in_words(tiles_per_second: float) -> str:
    """A speed with at least two significant digits: "12.3 tiles/s", "0.042 tiles/s"."""
    return f"{tiles_per_second:.1f} tiles/s" if tiles_per_second >= 1 else f"{tiles_per_second:.2g} tiles/s"


def outcome(row: SummaryRow) -> str:
    """How a slide ended, in words: "17.4 % positive of 2 103 cells; out of focus", or why not."""
    if row.status is Status.FAILED:
        return f"failed: {row.error}"
    cells = counted(row.total, "cell") if row.total is not None else "cells"
    flags = "".join(f"; {flag}" for flag in (row.quality, row.threshold) if flag)
    if row.index_percent is None:
        return f"not assessable: {row.reason} ({cells}){flags}"
    return f"{row.index_percent:.1f} % positive of {cells}{flags}"


class LineDisplay:
    """A line for each slide that ends: for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._counts = _Counts()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def stopped(self) -> str:
        """How far a stopped run has come, and how to continue it; safe in a signal handler."""
        return self._counts.stopped()

    @property
    def has_begun(self) -> bool:
        """Whether the slides have been counted."""
        return self._counts.slides > 0

    def begun(self, *, slides: int, finished: int) -> None:
        """Print how much there is to do."""
        self._counts.slides, self._counts.ended = slides, finished
        self._say(counted(slides, "slide") + (f", {finished} of them finished earlier" if finished else ""))

    def note(self, line: str) -> None:
        """Print it."""
        self._say(line)

    def planned(self, slide: str, *, tiles: int, tiles_stored: int) -> None:
        """Print how much work a slide is."""
        self._counts.plan()
        stored = f", {tiles_stored} of them stored earlier" if tiles_stored else ""
        self._say(f"{slide}: {counted(tiles, 'tile')}{stored}")

    def stored(self, slide: str, *, tiles: int, cells: int) -> None:
        """Only count: a line per shard would flood a log."""
        self._counts.store(tiles, cells)

    def ended(self, row: SummaryRow) -> None:
        """Print how the slide ended."""
        self._counts.end(row)
        rate = self._counts.tiles_per_second
        speed = f" [{rate_in_words(rate)}]" if rate else ""
        self._say(f"{row.slide}: {outcome(row)} ({self._counts.ended}/{self._counts.slides}){speed}")

    def _say(self, line: str) -> None:
        print(printable(line), file=self._stream, flush=True)


class TerminalDisplay:
    """One live line below the slides that have ended: slides, tiles, cells, speed and the time left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts = _Counts()
        self._live = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            console=console,
            transient=True,
        )
        self._task = self._live.add_task("looking at the slides", total=None)
        self._finished_earlier = self._opened = 0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def stopped(self) -> str:
        """How far a stopped run has come, and how to continue it; safe in a signal handler."""
        return self._counts.stopped()

    @property
    def has_begun(self) -> bool:
        """Whether the slides have been counted."""
        return self._counts.slides > 0

    def begun(self, *, slides: int, finished: int) -> None:
        """Show how much there is to do."""
        self._counts.slides, self._counts.ended = slides, finished
        self._finished_earlier = finished
        if finished:
            self._console.print(f"{finished} of {counted(slides, 'slide')} were finished earlier")
        self._show()

    def note(self, line: str) -> None:
        """Print it above the live line."""
        self._console.print(Text(printable(line)))

    def planned(self, slide: str, *, tiles: int, tiles_stored: int) -> None:
        """Count a slide's tiles."""
        self._counts.plan()
        self._opened += 1
        self._counts.tiles += tiles
        self._counts.done += tiles_stored
        self._show()

    def stored(self, slide: str, *, tiles: int, cells: int) -> None:
        """Count a shard."""
        self._counts.store(tiles, cells)
        self._show()

    def ended(self, row: SummaryRow) -> None:
        """Print how the slide ended, above the live line."""
        self._counts.end(row)
        style = "red" if row.status is Status.FAILED else ""
        self._console.print(Text(printable(f"{row.slide}: {outcome(row)}"), style=style))
        self._show()

    def _show(self) -> None:
        counts = self._counts
        words = [f"{counts.ended}/{counted(counts.slides, 'slide')}"]
        if counts.tiles:  # a report has none
            words += [counted(counts.done, "tile"), counted(counts.cells, "cell")]
        if counts.failed:
            words.insert(1, f"{counts.failed} failed")
        if rate := counts.tiles_per_second:
            # Nothing is known of slides that aren't planned yet: they are assumed to be like the others.
            opened = max(1, self._opened)
            total = counts.tiles / opened * max(opened, counts.slides - self._finished_earlier)
            words += [rate_in_words(rate), f"{duration(max(0.0, total - counts.done) / rate)} left"]
            self._live.update(self._task, completed=counts.done, total=total)
        self._live.update(self._task, description=" · ".join(words))


def duration(seconds: float) -> str:
    """The time left, as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
