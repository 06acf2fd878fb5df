"""A slide as deep-zoom tiles: which levels there are, and which part of the slide each tile shows.

Levels are counted as Deep Zoom Images count them: level 0 is one px, each next one twice as wide, the last one level 0 of
the slide. Tiles don't overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.geometry import Window

TILE_PX = 512  # a screen of 1280 × 800 px is 12 of them; of 256 px it is 30 requests


@dataclass(frozen=True, slots=True)
class DeepZoom:
    """The tiles of a slide of `width` × `height` level-0 px."""

    width: int
    height: int
    tile_px: int = TILE_PX

    def __post_init__(self) -> None:
        assert self.width > 0 and self.height > 0 and self.tile_px > 0, self

    @property
    def top_level(self) -> int:
        """The level whose px are the slide's own."""
        return (max(self.width, self.height) - 1).bit_length()

    @property
    def first_level(self) -> int:
        """The finest level that is one tile: coarser ones show nothing more."""
        return next(
            level for level in range(self.top_level, -1, -1) if level == 0 or self._is_one_tile(level)
        )

    def per_px(self, level: int) -> int:
        """Level-0 px that one px of a level spans."""
        return int(2 ** (self.top_level - level))

    def size(self, level: int) -> tuple[int, int]:
        """(width, height) of a level in its own px; the last of a row or column may be cut by the slide's edge."""
        per_px = self.per_px(level)
        return -(-self.width // per_px), -(-self.height // per_px)

    def window(self, level: int, column: int, row: int) -> Window | None:
        """What a tile shows, px of its level; None if there is no such tile."""
        if not 0 <= level <= self.top_level or column < 0 or row < 0:
            return None
        width, height = self.size(level)
        x, y = column * self.tile_px, row * self.tile_px
        if x >= width or y >= height:
            return None
        return Window(x, y, min(self.tile_px, width - x), min(self.tile_px, height - y))

    def _is_one_tile(self, level: int) -> bool:
        return max(self.size(level)) <= self.tile_px
