from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_edt.errors import UsageError
from wsi_edt.geometry import Window
from wsi_edt.slides import TileGrid, TissueMask, shards

EXTENTS = st.tuples(st.integers(1, 3000), st.integers(1, 3000))
SIZES = st.sampled_from([(512, 64), (512, 96), (256, 32), (1024, 0), (96, 32)])


def random_mask(extent: tuple[int, int], seed: int, share: float) -> TissueMask:
    units = -(-extent[1] // 32), -(-extent[0] // 32)
    return TissueMask(np.random.default_rng(seed).random(units) < share, 10.0, extent)


def holds_tissue(tissue: TissueMask, window: Window) -> bool:
    """Whether a unit with tissue overlaps the window, each unit by itself."""
    return any(
        32 * column < window.right
        and 32 * column + 32 > window.x
        and 32 * row < window.bottom
        and 32 * row + 32 > window.y
        for row, column in np.argwhere(tissue.mask).tolist()
    )


@given(extent=EXTENTS, size=SIZES)
def test_cores_partition_the_slide(extent: tuple[int, int], size: tuple[int, int]) -> None:
    """Each px belongs to one core: counted on the grid of 32 px, on which all cores must lie."""
    grid = TileGrid(extent, *size)
    owners = np.zeros((-(-extent[1] // 32) + 64, -(-extent[0] // 32) + 64), dtype=np.int64)
    for tile in grid.tiles(None):
        sides = (tile.core.x, tile.core.y, tile.core.width, tile.core.height, tile.window.x, tile.window.y)
        assert all(side % 32 == 0 for side in sides)
        assert tile.core.x < extent[0]  # no tile without a px of the slide
        assert tile.core.y < extent[1]
        rows = slice(tile.core.y // 32, tile.core.bottom // 32)
        owners[rows, tile.core.x // 32 : tile.core.right // 32] += 1
    assert (owners[: -(-extent[1] // 32), : -(-extent[0] // 32)] == 1).all()
    assert owners.max() == 1


@given(extent=EXTENTS, size=SIZES)
def test_windows_are_tiles_with_the_core_inside(extent: tuple[int, int], size: tuple[int, int]) -> None:
    tile_px, halo_px = size
    for tile in TileGrid(extent, tile_px, halo_px).tiles(None):
        assert (tile.window.width, tile.window.height) == (tile_px, tile_px)
        assert (tile.core.x - tile.window.x, tile.window.right - tile.core.right) == (halo_px, halo_px)
        assert (tile.core.y - tile.window.y, tile.window.bottom - tile.core.bottom) == (halo_px, halo_px)


@settings(max_examples=40)
@given(extent=EXTENTS, size=SIZES, seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.002, 0.05, 1.0]))
def test_only_tiles_whose_core_touches_tissue(
    extent: tuple[int, int], size: tuple[int, int], seed: int, share: float
) -> None:
    grid, tissue = TileGrid(extent, *size), random_mask(extent, seed, share)
    expected = tuple(tile for tile in grid.tiles(None) if holds_tissue(tissue, tile.core))
    assert grid.tiles(tissue) == expected
    assert [tile.index for tile in expected] == sorted(tile.index for tile in expected)


@given(extent=EXTENTS, seed=st.integers(0, 99), side=st.integers(1, 5))
def test_shards_hold_each_tile_once_in_blocks(extent: tuple[int, int], seed: int, side: int) -> None:
    grid, tissue = TileGrid(extent, 256, 32), random_mask(extent, seed, 0.02)
    parts = shards(grid, tissue, side=side)
    assert sorted(tile.index for shard in parts for tile in shard.tiles) == [
        tile.index for tile in grid.tiles(tissue)
    ]
    assert [shard.index for shard in parts] == sorted({shard.index for shard in parts})
    across = -(-grid.columns // side)
    for shard in parts:
        assert shard.tiles
        for tile in shard.tiles:
            row, column = divmod(tile.index, grid.columns)
            assert (row // side, column // side) == divmod(shard.index, across)


def test_a_slide_of_known_size() -> None:
    grid = TileGrid((1000, 384))
    assert (grid.core_px, grid.columns, grid.rows) == (384, 3, 1)
    assert (grid.tile(2, 0).index, grid.tile(2, 0).core.x, grid.tile(2, 0).window.x) == (2, 768, 704)


@pytest.mark.parametrize(("tile_px", "halo_px"), [(500, 64), (512, 50), (128, 64), (512, -32), (64, 64)])
def test_sizes_off_the_grid_are_refused(tile_px: int, halo_px: int) -> None:
    with pytest.raises(UsageError, match=f"{tile_px} px"):
        TileGrid((1000, 1000), tile_px, halo_px)
