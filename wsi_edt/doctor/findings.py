"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How good it is."""

    OK = "OK"
    WARNING = "warning"  # a run works, but slower or not for everything
    PROBLEM = "problem"  # a run wouldn't work


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    Attributes
    ----------
    check : what was looked at
    sentence : what was found; unless that is good, with the remedy behind a semicolon
    """

    check: str
    level: Level
    sentence: str
