"""Distances from the outer edge of tissue."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

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


PICTURE_UM = (6000.0, 5000.0)
INNER = shapely.box(0, 0, *PICTURE_UM)


def within(left: float, top: float, right: float, bottom: float) -> shapely.Polygon:
    """A box of tissue with these margins of glass, µm."""
    return shapely.box(left, top, PICTURE_UM[0] - right, PICTURE_UM[1] - bottom)


def distances_in(shape: shapely.Polygon) -> tuple[np.ndarray, np.ndarray]:
    """Distances of random places in a drawn shape, µm: as found, and from its outline less what lies on the picture's edge.

    The outline is exact; the mask has the share of each unit of 10 µm that lies in the shape.
    """
    columns, rows = (round(side / UNIT_UM) for side in PICTURE_UM)
    fine = (np.arange(4 * max(columns, rows)) + 0.5) * UNIT_UM / 4
    x, y = np.meshgrid(fine[: 4 * columns], fine[: 4 * rows])
    inside = shapely.contains_xy(shape, x.ravel(), y.ravel()).reshape(rows, 4, columns, 4)
    shares = inside.mean(axis=(1, 3)).astype(np.float32)
    places = np.random.default_rng(5).random((4000, 2)) * PICTURE_UM
    places = places[shapely.contains_xy(shape, places)]
    outline = shapely.difference(
        shapely.Polygon(shape.exterior).exterior, shapely.buffer(INNER.exterior, 1e-6)
    )
    expected = shapely.distance(shapely.points(places), outline)
    x, y = (places / UNIT_UM).T
    return edge_distances(x, y, shares, unit_um=UNIT_UM), expected


@pytest.mark.parametrize("margin_um", [30.0, 70.0, 200.0])
def test_glass_between_tissue_and_the_pictures_edge_is_an_edge_however_narrow(margin_um: float) -> None:
    found, expected = distances_in(within(margin_um, margin_um, margin_um, margin_um))
    assert np.abs(found - expected).max() < 15
    assert np.mean(found <= 500) == pytest.approx(np.mean(expected <= 500), abs=0.01)
    assert np.mean(expected <= 500) > 0.3, "the case that goes wrong if a margin is swallowed"


@pytest.mark.parametrize("margin_um", [30.0, 70.0, 200.0])
def test_where_tissue_runs_off_the_picture_there_is_no_edge(margin_um: float) -> None:
    """On the right, or on the left and below; the other sides have their glass."""
    for shape in (within(margin_um, margin_um, 0, margin_um), within(0, margin_um, margin_um, 0)):
        found, expected = distances_in(shape)
        assert np.abs(found - expected).max() < 15


def test_holes_beside_a_narrow_margin_are_none_and_clefts_count_by_their_width() -> None:
    whole = within(70, 70, 70, 0)
    holes = shapely.box(2000, 2000, 2600, 2300).union(shapely.Point(300, 4000).buffer(150))
    wide = shapely.box(3500, 0, 3900, 1500)
    found, expected = distances_in(whole.difference(holes).difference(wide))
    assert np.abs(found - expected).max() < 45, "a closing of 80 µm rounds the cleft's corners by 33"
    assert np.mean(found <= 500) == pytest.approx(np.mean(expected <= 500), abs=0.01)
    narrow = whole.difference(shapely.box(3500, 0, 3560, 1500))
    found, with_cleft = distances_in(narrow)
    _, expected = distances_in(whole)
    assert np.mean(found <= 500) == pytest.approx(np.mean(expected <= 500), abs=0.01)
    assert np.mean(with_cleft <= 500) > np.mean(expected <= 500) + 0.02, "the cleft would have shown"


def test_a_rim_of_units_that_reach_beyond_the_picture_is_no_glass() -> None:
    """A unit that lies half outside of the picture holds half as much of a region's tissue."""
    shares = np.ones((400, 400), np.float32)
    shares[:, :100] = 0
    shares[:, -1] = shares[-1] = 0.3
    assert distance(shares, 398, 398) == pytest.approx(2980, abs=15)
