"""The smoothed maps against sums written out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.report.full import full_cells
from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale, Window
from wsi_edt.report.heat_maps import LEAST_CELLS, LONGER_SIDE_PX, smooth

SCALE = Scale(0.5, 0.3125)
VIEW = Window(0, 0, 1600, 1200)  # 0.8 × 0.6 mm
EVERYWHERE = np.ones((60, 80), np.float32)  # units of 20 level-0 px


def around(cells: Cells, x: float, y: float, sigma: float) -> tuple[float, float, float]:
    """Positive cells, cells, and how many cells that weighs as many as, by the Gaussian around a point."""
    weights = np.exp(-((cells.x - x) ** 2 + (cells.y - y) ** 2) / (2 * sigma**2))
    return float(weights[cells.class_id == 1].sum()), float(weights.sum()), float(2 * weights.sum())


@pytest.mark.parametrize(("x", "y"), [(800.0, 600.0), (1200.0, 400.0), (500.0, 700.0)])
def test_values_are_those_of_a_gaussian_around_each_place(x: float, y: float) -> None:
    cells = full_cells(4000, 1600, 1200)
    maps = smooth(cells, EVERYWHERE, VIEW, SCALE)
    assert maps.sigma_um == 50.0
    assert maps.index_percent.shape == (LONGER_SIDE_PX * 3 // 4, LONGER_SIDE_PX)
    sigma = 100.0  # level-0 px
    positive, total, _ = around(cells, x, y, sigma)
    row, column = int(y / 5), int(x / 5)
    assert maps.index_percent[row, column] == pytest.approx(100 * positive / total, abs=0.5)
    per_mm2 = total / (2 * np.pi * (sigma * 0.0005) ** 2)
    assert maps.per_mm2[row, column] == pytest.approx(per_mm2, rel=0.02)


def test_density_is_of_tissue_and_so_doesnt_fall_at_its_edge() -> None:
    cells = full_cells(20_000, 1600, 1200)
    half = EVERYWHERE.copy()
    half[:, 40:] = 0  # tissue on the left
    maps = smooth(cells.select(cells.x < 800), half, VIEW, SCALE)
    dense = np.count_nonzero(cells.x < 800) / 0.24
    assert maps.per_mm2[60:180, 60:80].mean() == pytest.approx(dense, rel=0.1)
    assert maps.per_mm2[60:180, 140:160].mean() == pytest.approx(dense, rel=0.1)
    assert np.isnan(maps.per_mm2[:, 162:]).all()
    assert np.isnan(maps.index_percent[:, 162:]).all()


def test_where_few_cells_are_around_there_is_no_index() -> None:
    sigma = 100.0
    cells = full_cells(400, 1600, 1200)
    maps = smooth(cells, EVERYWHERE, VIEW, SCALE)
    shown = np.isfinite(maps.index_percent)
    assert 0 < shown.sum() < shown.size
    for row, column in ((40, 60), (120, 160), (200, 250), (120, 40)):
        _, _, weighing = around(cells, column * 5 + 2.5, row * 5 + 2.5, sigma)
        if abs(weighing - LEAST_CELLS) > 1.5:
            assert shown[row, column] == (weighing > LEAST_CELLS), (row, column, weighing)


def test_a_view_shows_its_own_part() -> None:
    cells = full_cells(4000, 1600, 1200)
    maps = smooth(cells, EVERYWHERE, Window(800, 0, 800, 600), SCALE)
    positive, total, _ = around(cells, 1200.0, 300.0, 100.0)
    assert maps.index_percent[120, 160] == pytest.approx(100 * positive / total, abs=1)


def test_a_large_slide_is_smoothed_more() -> None:
    tissue = np.ones((2000, 2000), np.float32)
    assert smooth(Cells.empty(), tissue, Window(0, 0, 40_000, 40_000), SCALE).sigma_um == pytest.approx(
        333.3, abs=0.1
    )


def test_no_cells_and_no_tissue_are_no_trouble() -> None:
    assert not np.isfinite(smooth(Cells.empty(), EVERYWHERE, VIEW, SCALE).index_percent).any()
    nothing = smooth(full_cells(500, 1600, 1200), EVERYWHERE * 0, VIEW, SCALE)
    assert not np.isfinite(nothing.per_mm2).any()
