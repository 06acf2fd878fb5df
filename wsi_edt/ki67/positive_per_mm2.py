"""How densely positive cells lie in an area."""

from __future__ import annotations

from wsi_edt.ki67.number import Evidence, Number
from wsi_edt.ki67.text import count


def positive_per_mm2(evidence: Evidence) -> float | None:
    """Positive cells over the tissue's area; None without tissue."""
    mm2 = evidence.area.mm2
    return evidence.counts.positive / mm2 if mm2 > 0 else None


POSITIVE_DENSITY = Number(
    "positive_per_mm2",
    float,
    positive_per_mm2,
    digits=2,
    table_digits=1,
    label="Positive",
    unit="cells/mm²",
    text=count,
)
