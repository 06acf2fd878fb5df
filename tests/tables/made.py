"""Findings of four cells and two regions, whose tables are known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely

from tests.ki67.made import findings
from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import SlideFindings
from wsi_edt.ki67.findings import Provenance
from wsi_edt.qupath.regions import Region

X, Y = (10.5, 30.5, 20.0, 90.25), (5.5, 5.5, 20.0, 60.0)
MPP = 0.5
# Both hold the third cell; none the last.
REGIONS = (("Tumour", (0, 0, 25, 40)), ("=hot, µ", (15, 0, 40, 40)))
IN_REGIONS = [["Tumour"], ["=hot, µ"], ["Tumour", "=hot, µ"], []]


def four_cells(*, measured: bool = True, regions: bool = True) -> SlideFindings:
    """Classes Positive, Negative, Nucleus, Positive; the second cell's densities couldn't be measured."""
    haematoxylin = np.array([0.5, np.nan, 0.25, 0.125], np.float32)
    dab = np.array([0.75, np.nan, 0.0, 0.0625], np.float32)
    cells = Cells(
        np.array(X),
        np.array(Y),
        np.array([0.9, 0.5, 0.75, 0.6], np.float32),
        np.array([1, 0, 2, 1], np.uint8),
        haematoxylin if measured else None,
        dab if measured else None,
    )
    drawn = [Region(name, shapely.box(*box)) for name, box in REGIONS] if regions else []
    return replace(
        findings(slide="ward/a µ.svs"),
        cells=cells,
        scale=Scale(MPP, 0.3125),
        bounds=Window(4, 2, 200, 100),
        regions=tuple(drawn),
        provenance=Provenance("9.9", "a" * 64, "b" * 64, "size-and-digest"),
    )


def no_cells() -> SlideFindings:
    """The same slide without cells."""
    return replace(four_cells(), cells=Cells.empty())


def many_cells(count: int) -> SlideFindings:
    """Cells at places of which none repeats, ordered as a slide's are; all measured, no regions."""
    rng = np.random.default_rng(7)
    y, x = np.divmod(np.arange(count), 1000)
    densities = rng.random((2, count), dtype=np.float32)
    cells = Cells(
        x + 0.5,
        y + 0.5,
        rng.random(count, dtype=np.float32),
        rng.integers(0, 2, count).astype(np.uint8),
        densities[0],
        densities[1],
    )
    return replace(four_cells(regions=False), cells=cells)
