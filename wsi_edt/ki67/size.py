"""How much tissue an area has, and how densely cells lie in it."""

from __future__ import annotations

from wsi_edt.ki67.number import AreaFacts, Number
from wsi_edt.ki67.text import area, count


def cells_per_mm2(facts: AreaFacts) -> float | None:
    """All cells over the tissue's area; None without tissue."""
    mm2 = _area_mm2(facts)
    return facts.counts.total / mm2 if mm2 > 0 else None


def _area_mm2(facts: AreaFacts) -> float:
    return round(float(facts.area.mm2), 6)  # to 1 µm², which is what ki67.json keeps


AREA = Number(
    "area_mm2", float, _area_mm2, digits=6, table_digits=6, label="Tissue area", unit="mm²", text=area
)
DENSITY = Number(
    "cells_per_mm2",
    float,
    cells_per_mm2,
    digits=2,
    table_digits=1,
    label="Density",
    unit="cells/mm²",
    text=count,
)
