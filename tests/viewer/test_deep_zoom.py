"""Levels and tiles, against the Deep Zoom format as it is described, and against counting by hand."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.geometry import Window
from wsi_edt.viewer.deep_zoom import DeepZoom

SIDES = st.integers(1, 300_000)


@given(SIDES, SIDES)
def test_levels_are_those_of_the_format(width: int, height: int) -> None:
    """Deep Zoom: the top level is ceil(log2(longer side)), and each level below has half the px, rounded up."""
    zoom = DeepZoom(width, height)
    assert zoom.top_level == math.ceil(math.log2(max(width, height)))
    assert zoom.size(zoom.top_level) == (width, height)
    assert zoom.size(0) == (1, 1)
    for level in range(zoom.top_level):
        above = zoom.size(level + 1)
        assert zoom.size(level) == tuple(math.ceil(side / 2) for side in above)


@given(SIDES, SIDES)
def test_the_first_level_is_the_finest_of_one_tile(width: int, height: int) -> None:
    zoom = DeepZoom(width, height)
    assert max(zoom.size(zoom.first_level)) <= zoom.tile_px
    assert zoom.first_level == zoom.top_level or max(zoom.size(zoom.first_level + 1)) > zoom.tile_px


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.data())
def test_tiles_partition_their_level(width: int, height: int, tile_px: int, data: st.DataObject) -> None:
    zoom = DeepZoom(width, height, tile_px)
    level = data.draw(st.integers(0, zoom.top_level))
    columns, rows = zoom.size(level)
    counted = np.zeros((rows, columns), int)
    for row in range(rows + 1):
        for column in range(columns + 1):
            if (window := zoom.window(level, column, row)) is not None:
                counted[window.y : window.bottom, window.x : window.right] += 1
    assert (counted == 1).all()


def test_tiles_of_a_slide_of_known_size() -> None:
    zoom = DeepZoom(1300, 700)  # 2048 = 2 ** 11: three columns, two rows
    assert (zoom.top_level, zoom.first_level) == (11, 9)  # 325 × 175
    assert zoom.window(11, 2, 1) == Window(1024, 512, 276, 188)
    assert zoom.window(10, 1, 0) == Window(512, 0, 138, 350)
    for level, column, row in ((11, 3, 0), (11, 0, 2), (12, 0, 0), (-1, 0, 0), (11, -1, 0), (11, 0, -1)):
        assert zoom.window(level, column, row) is None
