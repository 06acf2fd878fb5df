"""The hexagon grid, against brute force and against its own geometry."""

from __future__ import annotations

import numpy as np
import shapely

from wsi_edt.ki67.hexagons import count_in_hexagons


def test_three_cells_in_two_hexagons() -> None:
    """Of width 2: centres at (0, 0), (2, 0), and in the next row, √3 lower, at (1, √3)."""
    found = count_in_hexagons(
        np.array([0.1, 0.9, 1.2]), np.array([0.0, 0.2, 1.5]), np.array([True, False, True]), width=2.0
    )
    assert found.x.tolist() == [0.0, 1.0]
    np.testing.assert_allclose(found.y, [0.0, 3**0.5])
    assert found.positive.tolist() == [1, 1]
    assert found.total.tolist() == [2, 1]


def test_each_point_belongs_to_the_nearest_centre() -> None:
    """That is what the hexagons of a honeycomb are; also left of the origin and above it."""
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-7, 9, (2, 400))
    positive = rng.random(400) < 0.3
    width = 1.3
    centres = {
        (round((column + row % 2 / 2) * width, 6), round(row * width * 3**0.5 / 2, 6))
        for row in range(-12, 13)
        for column in range(-12, 13)
    }
    table = np.array(sorted(centres))
    nearest = ((table[:, 0] - x[:, None]) ** 2 + (table[:, 1] - y[:, None]) ** 2).argmin(axis=1)
    expected = {
        tuple(table[place]): (int(positive[nearest == place].sum()), int((nearest == place).sum()))
        for place in np.unique(nearest)
    }
    found = count_in_hexagons(x, y, positive, width=width)
    keys = [(round(a, 6), round(b, 6)) for a, b in zip(found.x.tolist(), found.y.tolist(), strict=True)]
    assert keys == sorted(keys, key=lambda key: (key[1], key[0]))
    assert (
        dict(zip(keys, zip(found.positive.tolist(), found.total.tolist(), strict=True), strict=True))
        == expected
    )


def test_a_hexagon_has_two_upright_sides() -> None:
    """The points of one, drawn as it is described, all count in it; what lies beyond a side doesn't."""
    centre = shapely.Point(1.0, 3**0.5)
    corners = [(np.sin(angle), np.cos(angle)) for angle in np.arange(6) * np.pi / 3]
    reach = 2 / 3**0.5  # from the centre to a corner, of a hexagon 2 wide
    hexagon = shapely.Polygon([(centre.x + reach * dx, centre.y + reach * dy) for dx, dy in corners])
    assert hexagon.bounds[2] - hexagon.bounds[0] == 2.0
    x, y = (
        axis.reshape(-1)
        for axis in np.meshgrid(np.linspace(-0.5, 2.5, 61) + 0.007, np.linspace(0.1, 3.2, 61))
    )
    inside = shapely.contains_xy(hexagon, x, y)
    found = count_in_hexagons(x, y, inside, width=2.0)
    here = np.isclose(found.x, centre.x) & np.isclose(found.y, centre.y)
    assert found.positive[here].tolist() == found.total[here].tolist() == [inside.sum()]


def test_no_points_are_in_no_hexagon() -> None:
    found = count_in_hexagons(np.zeros(0), np.zeros(0), np.zeros(0, np.bool_), width=1.0)
    assert len(found.x) == len(found.total) == 0
