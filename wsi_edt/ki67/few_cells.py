"""Whether an area has too few cells for its index to be relied on."""

from __future__ import annotations

from wsi_edt.ki67.number import AreaFacts, Number


def few_cells(facts: AreaFacts) -> bool:
    """Whether there are fewer cells than the conventions ask for: of those behind the index, if there is one."""
    counts = facts.counts
    counted = counts.total if facts.reason is not None else counts.positive + counts.negative
    return counted < facts.conventions.least_cells


# Without a label: the report shows it as a warning.
FEW_CELLS = Number("few_cells", bool, few_cells)
