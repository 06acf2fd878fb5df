"""The Ki-67 index: the share of positive cells among those with a class."""

from __future__ import annotations

from wsi_edt.ki67.number import AreaFacts, Number
from wsi_edt.ki67.text import percent


def index_percent(facts: AreaFacts) -> float | None:
    """100 × positive / (positive + negative); None where the area isn't assessable."""
    if facts.reason is not None:
        return None
    counts = facts.counts
    return 100.0 * counts.positive / (counts.positive + counts.negative)


# Without a label: the report shows it large.
INDEX = Number("index_percent", float, index_percent, digits=4, table_digits=2, text=percent)
