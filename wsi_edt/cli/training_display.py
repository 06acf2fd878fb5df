"""How a training shows itself: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from wsi_edt.training.progress import LogRow


class LineDisplay:
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
        """Print where the training continues."""
        self._steps = steps
        if 0 < step < steps:
            self.note(f"continuing from step {step} of {steps}")

    def advanced(self, step: int) -> None:
        """Nothing: a line for each step would flood a log."""

    def logged(self, row: LogRow) -> None:
        """Print the step and the loss."""
        self.note(f"step {row.step} of {self._steps}, loss {row.loss:.5f}, {row.seconds:.0f} s")

    def note(self, line: str) -> None:
        """Print it."""
        print(line, file=self._stream, flush=True)


class TerminalDisplay:
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
        # A reset task takes what it starts with as done before its clock, so that the time left is right.
        self._live.reset(self._task, total=steps, completed=step, description="")
        if 0 < step < steps:
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


def display_on(stream: TextIO) -> LineDisplay | TerminalDisplay:
    """The display for that stream: a bar if it is a terminal."""
    console = Console(file=stream)
    return TerminalDisplay(console) if console.is_terminal else LineDisplay(stream)
