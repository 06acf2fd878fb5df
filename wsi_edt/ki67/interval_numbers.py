"""The interval of an area's index as numbers of it."""

from __future__ import annotations

from wsi_edt.ki67.interval import Interval
from wsi_edt.ki67.number import AreaFacts, Number
from wsi_edt.ki67.text import count, decimal, percent


def _interval(facts: AreaFacts) -> Interval | None:
    return facts.interval if isinstance(facts.interval, Interval) else None


def _low(facts: AreaFacts) -> float | None:
    return None if (interval := _interval(facts)) is None else interval.low_percent


def _high(facts: AreaFacts) -> float | None:
    return None if (interval := _interval(facts)) is None else interval.high_percent


def _blocks(facts: AreaFacts) -> int | None:
    return facts.interval.blocks


def _block_mm(facts: AreaFacts) -> float | None:
    return facts.interval.block_mm


# Without labels: reports show them with the index. Without an interval: the blocks that there are, and the side that one
# needs.
INDEX_LOW = Number("index_low_percent", float, _low, digits=4, table_digits=2, text=percent)
INDEX_HIGH = Number("index_high_percent", float, _high, digits=4, table_digits=2, text=percent)
BLOCKS = Number("blocks", int, _blocks, text=count)
BLOCK_MM = Number("block_mm", float, _block_mm, digits=4, table_digits=2, text=lambda mm: decimal(mm, 2))
