"""Cuts a slide into tiles and shards on one integer model-px grid.

Tile origins, cores and halos are multiples of 32 px, so that the network's strides fall alike in every tile:
odd offsets alone change its maps by more than a missing halo does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsi_edt.errors import UsageError
from wsi_edt.geometry import Window
from wsi_edt.slides.pixels import intersection
from wsi_edt.slides.tissue import UNIT_PX, TissueMask

_SHARD_CORES = 8  # side of a shard,
_SHARD_PX = 3072  # and about the most that it may be in model px


@dataclass(frozen=True, slots=True)
class Tile:
    """What the network sees, and what of it the tile owns; model px.

    Attributes
    ----------
    index : row × columns + column in its grid
    core : what it owns; full size even where it reaches beyond the slide
    window : what the network sees: the core grown by the halo
    on_slide : what of the window isn't beyond the slide
    """

    index: int
    core: Window
    window: Window
    on_slide: Window


@dataclass(frozen=True, slots=True)
class Shard:
    """A block of neighbouring tiles, row by row: the unit of scheduling. `index` is the block's own number."""

    index: int
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Tiles whose cores partition a slide.

    Parameters
    ----------
    extent : (width, height) of the slide in model px
    tile_px : side of a tile
    halo_px : context on each side of the core

    Raises
    ------
    UsageError
        If a size isn't a multiple of 32 or leaves no core.
    """

    extent: tuple[int, int]
    tile_px: int = 512
    halo_px: int = 64

    def __post_init__(self) -> None:
        assert min(self.extent) > 0, f"an empty slide: {self.extent}"
        if self.tile_px % UNIT_PX or self.halo_px % UNIT_PX or self.halo_px < 0:
            raise UsageError(
                f"a tile of {self.tile_px} px with a halo (what it sees beyond its own part) of {self.halo_px} px isn't on "
                "the grid",
                remedy=f"give multiples of {UNIT_PX} for both (for example 512 and 64)",
            )
        if self.core_px <= 0:
            raise UsageError(
                f"a tile of {self.tile_px} px has no room for two halos of {self.halo_px} px",
                remedy=f"give at least {2 * self.halo_px + UNIT_PX} px",
            )

    @property
    def core_px(self) -> int:
        """Side of a core."""
        return self.tile_px - 2 * self.halo_px

    @property
    def columns(self) -> int:
        """Tiles across."""
        return -(-self.extent[0] // self.core_px)

    @property
    def rows(self) -> int:
        """Tiles down."""
        return -(-self.extent[1] // self.core_px)

    def tile(self, column: int, row: int) -> Tile:
        """The tile in that place of the grid."""
        assert 0 <= column < self.columns, (column, self.columns)
        assert 0 <= row < self.rows, (row, self.rows)
        core = Window(column * self.core_px, row * self.core_px, self.core_px, self.core_px)
        window = core.grown(self.halo_px)
        on_slide = intersection(window, self.extent)
        assert on_slide is not None, "a core beyond the slide"
        return Tile(row * self.columns + column, core, window, on_slide)

    def tiles(self, tissue: TissueMask | None) -> tuple[Tile, ...]:
        """The tiles whose core touches tissue, row by row; all of them if `tissue` is None."""
        rows, columns = np.nonzero(self._wanted(tissue))
        return tuple(
            self.tile(column, row) for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        )

    def _wanted(self, tissue: TissueMask | None) -> npt.NDArray[np.bool_]:
        """For each place (rows, columns) of the grid, whether its core touches tissue."""
        if tissue is None:
            return np.ones((self.rows, self.columns), dtype=np.bool_)
        units = self.core_px // UNIT_PX
        padded = np.zeros((self.rows * units, self.columns * units), dtype=np.bool_)
        held = tissue.mask[: padded.shape[0], : padded.shape[1]]
        padded[: held.shape[0], : held.shape[1]] = held
        blocks = padded.reshape(self.rows, units, self.columns, units)
        return np.asarray(blocks.any(axis=(1, 3)), dtype=np.bool_)


def shards(grid: TileGrid, tissue: TissueMask | None, *, side: int | None = None) -> tuple[Shard, ...]:
    """The grid's tiles with tissue in blocks of `side` × `side` cores, row by row; empty blocks are left out.

    By default a block is 8 × 8 cores, or fewer of large ones, so that it stays at about 1 mm at 0.3125 µm/px: small enough
    to share a slide out and to lose little by a kill, large enough that scheduling costs nothing beside it.
    """
    if side is None:
        side = min(_SHARD_CORES, max(1, round(_SHARD_PX / grid.core_px)))
    assert side > 0, side
    block_columns = -(-grid.columns // side)
    blocks: dict[int, list[Tile]] = {}
    for tile in grid.tiles(tissue):
        row, column = divmod(tile.index, grid.columns)
        blocks.setdefault(row // side * block_columns + column // side, []).append(tile)
    return tuple(Shard(index, tuple(tiles)) for index, tiles in sorted(blocks.items()))
