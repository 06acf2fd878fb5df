"""Everything that touches a slide: opening, reading at any µm/px, tissue, the tile grid, the tile loader."""

from wsi_edt.slides.grid import Shard, Tile, TileGrid, shards
from wsi_edt.slides.image_reader import ImageSlide
from wsi_edt.slides.kept import KeptSlides, SlideKey
from wsi_edt.slides.loader import Opener, TileBatch, TileLoader, TileRequest
from wsi_edt.slides.opening import IMAGE_SUFFIXES, SLIDE_SUFFIXES, open_slide
from wsi_edt.slides.pictures import Picture, Role, list_pictures
from wsi_edt.slides.protocol import Slide, required_mpp
from wsi_edt.slides.source import SlideSource
from wsi_edt.slides.staining import Staining, classify_staining
from wsi_edt.slides.tissue import UNIT_PX, TissueMask, find_tissue, save_tissue_picture, slide_tissue
from wsi_edt.slides.window import best_level, read_overview, read_window

__all__ = [
    "IMAGE_SUFFIXES",
    "SLIDE_SUFFIXES",
    "UNIT_PX",
    "ImageSlide",
    "KeptSlides",
    "Opener",
    "Picture",
    "Role",
    "Shard",
    "Slide",
    "SlideKey",
    "SlideSource",
    "Staining",
    "Tile",
    "TileBatch",
    "TileGrid",
    "TileLoader",
    "TileRequest",
    "TissueMask",
    "best_level",
    "classify_staining",
    "find_tissue",
    "list_pictures",
    "open_slide",
    "read_overview",
    "read_window",
    "required_mpp",
    "save_tissue_picture",
    "shards",
    "slide_tissue",
]
