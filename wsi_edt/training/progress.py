"""How a training shows itself: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text


@dataclass(frozen=True, slots=True)
class LogRow:
    """What is logged of some steps; a row of log.csv.

    Attributes
    ----------
    step : the last of them, counted from 1
    loss, inconsistency, gradient_norm : their means (see `Losses`)
    learning_rate : of the last step
    seconds : since the training began, without the time in which it was stopped
    """

    step: int
    loss: float
    inconsistency: float
    gradient_norm: float
    learning_rate: float
    seconds: float


class Watcher(Protocol):
    """Is told of a training's steps, in the thread that trains; raising ends the training."""

    def begun(self, *, step: int, steps: int) -> None:
        """So many steps are to be made, of which `step` were made earlier."""

    def advanced(self, step: int) -> None:
        """So many steps are made."""

    def logged(self, row: LogRow) -> None:
        """A row was logged."""

    def note(self, line: str) -> None:
        """Something that a user should know."""


class Silence:
    """Shows nothing: for the Python interface."""

    def begun(self, *, step: int, steps: int) -> None:
        """Nothing."""

    def advanced(self, step: int) -> None:
        """Nothing."""

    def logged(self, row: LogRow) -> None:
        """Nothing."""

    def note(self, line: str) -> None:
        """Nothing."""


class LineProgress:
    """A line for each row of the log and each note: for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def begun(self, *, step: int, steps: int) -> None:
        """Say where it continues."""
        self._steps = steps
        if step:
            self.note(f"continuing from step {step} of {steps}")

    def advanced(self, step: int) -> None:
        """Nothing: a line a step would flood a log."""

    def logged(self, row: LogRow) -> None:
        """Say it."""
        self.note(f"step {row.step} of {self._steps}, loss {row.loss:.5f}, {row.seconds:.0f} s")

    def note(self, line: str) -> None:
        """Say it."""
        print(line, file=self._stream, flush=True)


class TerminalProgress:
    """A bar of the steps with the loss and the time left, below the notes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.description}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
        )
        self._task = self._live.add_task("reading the sets", total=None)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def begun(self, *, step: int, steps: int) -> None:
        """Start the bar where an earlier training stopped."""
        # A reset task counts what it is given as done before the clock started, so that the time left is right.
        self._live.reset(self._task, total=steps, completed=step, description="")
        if step:
            self.note(f"continuing from step {step} of {steps}")

    def advanced(self, step: int) -> None:
        """Move the bar."""
        self._live.update(self._task, completed=step)

    def logged(self, row: LogRow) -> None:
        """Show the loss."""
        self._live.update(self._task, description=f"loss {row.loss:.5f}")

    def note(self, line: str) -> None:
        """Print it above the bar."""
        self._console.print(Text(line))


def progress_on(stream: TextIO) -> LineProgress | TerminalProgress:
    """The display for that stream: a bar where it is a terminal."""
    console = Console(file=stream)
    return TerminalProgress(console) if console.is_terminal else LineProgress(stream)
