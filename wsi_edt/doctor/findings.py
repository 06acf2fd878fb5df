"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a finding is."""

    OK = "OK"
    WARNING = "warning"  # a run works, but more slowly or not for everything
    PROBLEM = "problem"  # a run wouldn't work


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's output.

    Attributes
    ----------
    check : what was examined
    sentence : what was found and, unless all is well, the remedy after a semicolon
    """

    check: str
    level: Level
    sentence: str
