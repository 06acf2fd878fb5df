"""What was found in a points file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from wsi_edt.cells import CellClass, Cells


@dataclass(frozen=True, slots=True, eq=False)
class PointsFound:
    """The cells of a points file, and what else it holds.

    Attributes
    ----------
    images : cells by image, in continuous px
    passed_over : how many of what aren't cells, by what they are, for `qupath.passed_over.in_words`
    unclassed : how many of the cells have no class
    """

    images: Mapping[str, Cells]
    passed_over: Counter[str] = field(default_factory=Counter)
    unclassed: int = 0

    @property
    def count(self) -> int:
        """How many cells there are in all."""
        return sum(map(len, self.images.values()))

    @property
    def tells_classes(self) -> bool:
        """Whether one of them is positive or negative."""
        return any((cells.class_id != CellClass.NUCLEUS).any() for cells in self.images.values())
