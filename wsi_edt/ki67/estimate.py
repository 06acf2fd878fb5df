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

    def rounded(self) -> Estimate:
        """The same to 4 digits after the point, as ki67.json keeps it."""
        low, high = (None if end is None else round(end, 4) for end in (self.low, self.high))
        return Estimate(round(self.value, 4), low, high)
