"""What a training reports while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LogRow:
    """What is logged about some steps; a row of log.csv.

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


class TrainingProgress(Protocol):
    """Is told about a training's steps, in the thread that trains; an exception that it raises ends the training."""

    def begun(self, *, step: int, steps: int) -> None:
        """The training has that many steps, of which `step` were made earlier."""

    def advanced(self, step: int) -> None:
        """That many steps are made."""

    def logged(self, row: LogRow) -> None:
        """A row was logged."""

    def note(self, line: str) -> None:
        """Something that a user should know."""


class NoProgress:
    """Reports nothing."""

    def begun(self, *, step: int, steps: int) -> None:
        """Nothing."""

    def advanced(self, step: int) -> None:
        """Nothing."""

    def logged(self, row: LogRow) -> None:
        """Nothing."""

    def note(self, line: str) -> None:
        """Nothing."""
