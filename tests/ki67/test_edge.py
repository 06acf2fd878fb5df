"""Distances from the outer edge of tissue."""

from __future__ import annotations

import numpy as np
import pytest

from wsi_edt.ki67.edge import edge_distances

UNIT_UM = 10.0


def square(side: int = 400, margin: int = 100) -> np.ndarray:
    """A square of tissue of 2 mm in the middle of 4 mm of glass."""
    shares = np.zeros((side, side), np.float32)
    shares[margin:-margin, margin:-margin] = 1
    return shares


def distance(shares: np.ndarray, x: float, y: float) -> float:
    return float(edge_distances(np.array([x]), np.array([y]), shares, unit_um=UNIT_UM)[0])


@pytest.mark.parametrize(
    ("x", "y", "expected_um"),
    [(200, 200, 1000), (110, 200, 100), (200, 290, 100), (150, 220, 500), (120, 130, 200), (50, 200, 0)],
)
def test_a_square(x: float, y: float, expected_um: float) -> None:
    assert distance(square(), x, y) == pytest.approx(expected_um, abs=25)


def test_holes_and_narrow_clefts_are_no_edge() -> None:
    shares = square()
    shares[180:220, 180:220] = 0
    shares[100:250, 152:158] = 0  # 60 µm wide, open to the glass
    assert distance(shares, 170, 200) == pytest.approx(700, abs=45)
    shares[0:210, 180:220] = 0  # 400 µm wide
    assert distance(shares, 170, 180) == pytest.approx(100, abs=45)


def test_the_pictures_own_edge_is_none() -> None:
    shares = square()[100:, 100:]  # the tissue goes on to the left and above
    assert distance(shares, 1, 1) == pytest.approx(1990, abs=45)
    assert distance(np.ones((50, 60), np.float32), 3, 3) == np.inf


def test_the_last_units_of_an_odd_picture() -> None:
    """401 units are no multiple of the coarser raster's four."""
    shares = np.ones((401, 403), np.float32)
    shares[:, :100] = 0
    assert distance(shares, 402.9, 400.9) == pytest.approx(3020, abs=45)


def test_coarse_masks_are_used_as_they_are() -> None:
    shares = np.zeros((20, 20), np.float32)
    shares[5:15, 5:15] = 1
    found = edge_distances(np.array([10.0]), np.array([10.0]), shares, unit_um=100.0)
    assert found[0] == pytest.approx(500, abs=60)
