"""Everything that touches a slide: opening, reading at any µm/px, tissue, the tile grid and the tile loader."""

from wsi_edt.slides.grid import Shard, Tile, TileGrid, shards
from wsi_edt.slides.image_reader import ImageSlide
from wsi_edt.slides.loader import TileBatch, TileLoader, TileRequest
from wsi_edt.slides.protocol import Slide, required_mpp
from wsi_edt.slides.tissue import UNIT_PX, TissueMask
from wsi_edt.slides.window import best_level, read_overview, read_window

__all__ = [
    "UNIT_PX",
    "ImageSlide",
    "Shard",
    "Slide",
    "Tile",
    "TileBatch",
    "TileGrid",
    "TileLoader",
    "TileRequest",
    "TissueMask",
    "best_level",
    "read_overview",
    "read_window",
    "required_mpp",
    "shards",
]
