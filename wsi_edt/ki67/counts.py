"""How many cells of each class an area holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from wsi_edt.cells import CellClass, Cells


@dataclass(frozen=True, slots=True)
class Counts:
    """Cells by class; `unclassified` are nuclei without a class, which no index counts."""

    positive: int
    negative: int
    unclassified: int

    @classmethod
    def of(cls, cells: Cells) -> Self:
        """The counts of these cells."""
        positive, negative = cells.count(CellClass.POSITIVE), cells.count(CellClass.NEGATIVE)
        return cls(positive, negative, len(cells) - positive - negative)

    @property
    def total(self) -> int:
        """All cells."""
        return self.positive + self.negative + self.unclassified
