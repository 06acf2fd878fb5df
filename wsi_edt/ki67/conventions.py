"""What published recommendations ask of a Ki-67 index."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conventions:
    """The limits that a result is judged by.

    Attributes
    ----------
    least_cells : with fewer cells an index is flagged as unreliable
    """

    least_cells: int = 500
