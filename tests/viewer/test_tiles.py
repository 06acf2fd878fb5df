"""Tiles show the part of the slide that they say they show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import ruler_pixels
from wsi_edt.slides import open_slide
from wsi_edt.viewer.deep_zoom import DeepZoom
from wsi_edt.viewer.tiles import KeptTiles, jpeg, tile_jpeg


def decoded(tile: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(tile, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture[..., ::-1].astype(float)


@pytest.mark.parametrize("below_top", [0, 1, 2, 3])
def test_tiles_laid_side_by_side_are_the_slide(ruler_slide_path: Path, below_top: int) -> None:
    """On the ruler red tells x and green y: of each px of each tile, within JPEG's rounding and its blurred chroma."""
    wanted = ruler_pixels()
    with open_slide(ruler_slide_path) as slide:
        zoom = DeepZoom(*slide.dimensions, tile_px=256)
        level = zoom.top_level - below_top
        per_px = 2**below_top
        width, height = zoom.size(level)
        canvas = np.full((height, width, 3), np.nan)
        for row in range(-(-height // 256)):
            for column in range(-(-width // 256)):
                tile = tile_jpeg(slide, zoom, level, column, row)
                window = zoom.window(level, column, row)
                assert tile is not None and window is not None
                canvas[window.y : window.bottom, window.x : window.right] = decoded(tile)
        assert tile_jpeg(slide, zoom, level, 0, -(-height // 256)) is None
    assert np.isfinite(canvas).all()
    x, y = (np.arange(side) * per_px + per_px // 2 for side in (width, height))
    expected = wanted[np.ix_(np.minimum(y, wanted.shape[0] - 1), np.minimum(x, wanted.shape[1] - 1))]
    off = np.abs(canvas.mean(axis=0)[:, 0] - expected.mean(axis=0)[:, 0])  # red of each column
    assert np.median(off) < 3 and np.percentile(off, 95) < 8
    off = np.abs(canvas.mean(axis=1)[:, 1] - expected.mean(axis=1)[:, 1])  # green of each row
    assert np.median(off) < 3 and np.percentile(off, 95) < 8


def test_red_stays_red() -> None:
    """OpenCV takes blue first."""
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(decoded(jpeg(red)).mean(axis=(0, 1)) - (200, 0, 0)).max() < 4


def test_kept_tiles_stay_within_their_bytes() -> None:
    kept = KeptTiles(most_bytes=10)
    for place in range(4):
        kept.put((0, 0, place, 0), b"1234")
    assert [kept.get((0, 0, place, 0)) for place in range(4)] == [None, None, b"1234", b"1234"]
    assert kept.get((0, 0, 2, 0)) == b"1234"  # which makes 3 the oldest
    kept.put((0, 0, 9, 0), b"1234")
    assert kept.get((0, 0, 3, 0)) is None and kept.get((0, 0, 2, 0)) == b"1234"
    kept.put((0, 0, 2, 0), b"12")  # again: its bytes count once
    kept.put((0, 0, 5, 0), b"1234")
    assert kept.get((0, 0, 9, 0)) == b"1234"
