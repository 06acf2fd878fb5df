"""Whether an area has too few cells for its index to be relied on."""

from __future__ import annotations

from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.number import AreaFacts, Number


def few_cells(facts: AreaFacts) -> bool | None:
    """Whether fewer cells than the conventions ask for are behind the index.

    None without an index, and of a field: it is a sample of as many cells as the conventions ask for, and no index is
    reported of it alone. A hotspot's index is.
    """
    if facts.reason is not None or facts.area.kind is AreaKind.FIELD:
        return None
    return facts.counts.positive + facts.counts.negative < facts.conventions.least_cells


# Without a label: the report shows it as a warning.
FEW_CELLS = Number("few_cells", bool, few_cells)
