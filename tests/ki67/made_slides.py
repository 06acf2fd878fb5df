"""Slides made of points: tissue in units of 10 µm, cells anywhere on it, no picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tests.ki67.made import findings
from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.slides.tissue import TissueMask

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Chance = Callable[[FloatArray, FloatArray], FloatArray]

UNIT_UM = 10.0
L0_UM = 0.25  # a level-0 px


def tissue_of(held: BoolArray) -> TissueMask:
    """Tissue in units of 10 µm."""
    rows, columns = held.shape
    return TissueMask(held, UNIT_UM, (columns * 32, rows * 32))


def cells_at(x_um: FloatArray, y_um: FloatArray, class_id: npt.NDArray[np.integer] | BoolArray) -> Cells:
    """Cells at these places, ordered as a slide's."""
    x, y = (np.asarray(along, np.float64) / L0_UM for along in (x_um, y_um))
    return Cells(x, y, np.ones(len(x), np.float32), np.asarray(class_id, np.uint8)).sorted_by_position()


def slide_of(cells: Cells, tissue: TissueMask) -> tuple[Area, SlideFindings]:
    """The whole tissue of a slide with these cells."""
    found = replace(findings(), cells=cells, tissue=tissue, scale=Scale(L0_UM, UNIT_UM / 32))
    return Area(AreaKind.TISSUE, "whole tissue", cells, tissue.area_mm2), found


def poisson_slide(
    rows: int, columns: int, *, per_mm2: float, chance: Chance, seed: int
) -> tuple[Area, SlideFindings]:
    """A slide full of tissue with independent cells.

    Parameters
    ----------
    rows, columns : of units
    chance : of being positive, given x and y in µm
    """
    rng = np.random.default_rng(seed)
    width, height = columns * UNIT_UM, rows * UNIT_UM
    count = rng.poisson(per_mm2 * width * height / 1e6)
    x, y = rng.random(count) * width, rng.random(count) * height
    return slide_of(
        cells_at(x, y, rng.random(count) < chance(x, y)), tissue_of(np.ones((rows, columns), np.bool_))
    )
