"""The interval of an index from blocks of tissue, which are alike within and differ from each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wsi_edt.cells import Cells


class NoInterval(StrEnum):
    """Why an index has no interval, in words, as ki67.json has them."""

    NO_INDEX = "no index"
    FEW_BLOCKS = "fewer than 20 blocks of tissue"


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """An index's 95 % interval, and how likely it lies above any value.

    Attributes
    ----------
    low_percent, high_percent : its ends
    blocks : of tissue that hold cells
    block_mm : the side of one
    """

    low_percent: float
    high_percent: float
    blocks: int
    block_mm: float

    def probability_above(self, percent: float) -> float:
        """How likely the index lies above that value."""
        raise NotImplementedError


def index_interval(cells: Cells, *, mm_per_px: float) -> Interval | NoInterval:
    """The interval of the index of these cells (level-0 px, each of `mm_per_px`), or why there is none."""
    return NoInterval.FEW_BLOCKS
