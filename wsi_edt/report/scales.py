"""Scales that end at round numbers."""

from __future__ import annotations

import math

# By what an end begins with: into how many steps it is divided, so that these are round too.
_STEPS = {1.0: 5, 1.5: 3, 2.0: 4, 3.0: 3, 4.0: 4, 5.0: 5, 6.0: 3, 8.0: 4}


def round_up(value: float) -> float:
    """The end of a scale that holds a value: 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    leading = next((leading for leading in _STEPS if leading * power >= value * (1 - 1e-9)), 10.0)
    return float(f"{leading * power:.6g}")


def ticks(upper: float) -> list[float]:
    """The values to write at a scale from 0 to an end that `round_up` gave."""
    leading = round(upper / 10.0 ** math.floor(math.log10(upper) + 1e-9), 6)
    steps = _STEPS[leading]
    return [float(f"{upper * step / steps:.6g}") for step in range(steps + 1)]
