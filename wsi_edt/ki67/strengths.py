"""How strongly cells are stained: counts of 0, 1+, 2+ and 3+ by DAB's optical density, and the H-score.

All cells count, whatever their class: like QuPath's, these go by the cut-offs alone. Ki-67 itself is reported as the share
of positive nuclei, however strong; an H-score is for markers whose strength counts, such as hormone receptors. Densities
depend on the stainer and the scanner, so that cut-offs hold for one of each: the same tissue on two scanners has an H-score
of 51 and of 32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wsi_edt.cells import CellClass
from wsi_edt.ki67.number import AreaFacts, Number, Values
from wsi_edt.ki67.text import count, decimal


def strengths(facts: AreaFacts) -> tuple[int, int, int, int] | None:
    """How many cells are 0, 1+, 2+ and 3+; None without cells, or without densities."""
    dab = facts.area.cells.dab_od
    if dab is None:
        return None
    dab = dab[np.isfinite(dab)]
    if not len(dab):
        return None
    one, two, three = (int(np.count_nonzero(dab >= cutoff)) for cutoff in facts.conventions.dab_cutoffs)
    return len(dab) - one, one - two, two - three, three


def h_score(facts: AreaFacts) -> float | None:
    """1 × the percentage of 1+ cells, 2 × that of 2+ and 3 × that of 3+ (McCarty et al., 1985): 0 to 300."""
    found = strengths(facts)
    if found is None:
        return None
    return 100.0 * sum(strength * cells for strength, cells in enumerate(found)) / sum(found)


def positive_dab_od(facts: AreaFacts) -> float | None:
    """The mean DAB density of positive cells; None without any, or without densities."""
    cells = facts.area.cells
    if cells.dab_od is None:
        return None
    positive = cells.dab_od[(cells.class_id == CellClass.POSITIVE) & np.isfinite(cells.dab_od)]
    return float(positive.mean(dtype=np.float64)) if len(positive) else None


def _of_strength(strength: int) -> Callable[[AreaFacts], int | None]:
    def cells(facts: AreaFacts) -> int | None:
        found = strengths(facts)
        return None if found is None else found[strength]

    return cells


def _is_measured(values: Values) -> bool:
    return values["h_score"] is not None


# Without labels: the report shows the counts as a histogram.
STRENGTHS = tuple(
    Number(f"strength_{strength}", int, _of_strength(strength), text=count) for strength in range(4)
)
H_SCORE = Number(
    "h_score",
    float,
    h_score,
    digits=2,
    table_digits=1,
    label="H-score, for markers other than Ki-67",
    unit="of 300",
    text=lambda score: decimal(score, 0),
    shown=_is_measured,
)
POSITIVE_DAB = Number(
    "positive_dab_od", float, positive_dab_od, digits=4, table_digits=3, text=lambda od: decimal(od, 2)
)
