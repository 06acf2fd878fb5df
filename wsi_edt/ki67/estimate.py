"""A number with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval.

    Attributes
    ----------
    value : the number
    low, high : the interval's ends; None if there is no interval
    """

    value: float
    low: float | None = None
    high: float | None = None
