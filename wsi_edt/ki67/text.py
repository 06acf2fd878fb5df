"""Numbers for reading."""

from __future__ import annotations

import math

NONE = "–"
_FINEST_AREA = 6  # digits of mm²: 1 µm²


def percent(value: float | None) -> str:
    """An index with one digit, and never 0 or 100 where it is only nearly that."""
    if value is None:
        return NONE
    if 0 < value < 0.05:
        return "< 0.1 %"
    if 99.95 <= value < 100:
        return "> 99.9 %"
    return f"{value:.1f} %"


def with_interval(value: float | None, interval: tuple[float, float] | None) -> str:
    """An index with its interval, if it has one: 12.3 % (10.1–14.9)."""
    return percent(value) if interval is None else f"{percent(value)} ({ends(interval)})"


def ends(interval: tuple[float, float]) -> str:
    """An interval without its unit: 10.1–14.9."""
    low, high = (percent(end).removesuffix(" %") for end in interval)
    return f"{low}–{high}"


def count(value: float | None) -> str:
    """A whole number with thin spaces between thousands."""
    return NONE if value is None else f"{round(value):,}".replace(",", "\u202f")


def decimal(value: float | None, digits: int) -> str:
    """A number with that many digits after the point."""
    return NONE if value is None else f"{value:.{digits}f}"


def area(value: float | None) -> str:
    """An area in mm²: two digits after the point from 1 on, three below, where fields lie, more for what is tiny."""
    if value is None or value >= 1:
        return decimal(value, 2)
    leading = math.floor(math.log10(value)) if value > 0 else 0
    return decimal(value, min(max(3, 1 - leading), _FINEST_AREA))
