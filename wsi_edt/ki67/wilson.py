"""The 95 % interval of a share."""

from __future__ import annotations

import math

_Z = 1.959964  # 95 % of a normal distribution


def wilson(share: float, cells: float) -> tuple[float, float]:
    """The ends of a share's interval if as many independent cells were counted (Wilson 1927), in [0, 1].

    Parameters
    ----------
    share : in [0, 1]
    cells : above 0; need not be whole, where others vary as that many independent ones would
    """
    middle = (share + _Z**2 / (2 * cells)) / (1 + _Z**2 / cells)
    half = _Z * math.sqrt(share * (1 - share) / cells + _Z**2 / (4 * cells**2)) / (1 + _Z**2 / cells)
    return max(middle - half, 0.0), min(middle + half, 1.0)
