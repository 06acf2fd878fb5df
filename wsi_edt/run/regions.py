"""The regions of a slide: read from their file for it, and what of the slide has to be looked at for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely

from wsi_edt.annotations import AnnotatedSlide, drawn_regions
from wsi_edt.errors import AnnotationError
from wsi_edt.geometry import Scale
from wsi_edt.ki67.drawn import looked_at
from wsi_edt.ki67.region_areas import tissue_raster
from wsi_edt.qupath.passed_over import in_words
from wsi_edt.qupath.regions import BoolArray, Polygons, Region, RegionsFound, is_ignored_class
from wsi_edt.slides.grid import Shard, Tile, TileGrid, shards
from wsi_edt.slides.tissue import TissueMask

# A tile this far from a region may see a peak that is stronger than one in the region, and so decides about it: peaks lie
# up to 4 px outside their tile's core, and drop others up to 5 px away. What is more serves peaks that drop each other in
# a row, so that cells in a region are those that a run of the whole slide finds there.
REACH_PX = 32
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class SlideRegions:
    """What is drawn in a file for one slide.

    Attributes
    ----------
    regions : level-0 px, in the file's order
    remark : a clause on what else the file holds and what was mended; "" if there is nothing to say
    """

    regions: tuple[Region, ...] = ()
    remark: str = ""


def read_slide_regions(path: Path, slide: AnnotatedSlide) -> SlideRegions:
    """The regions in a file.

    Raises
    ------
    AnnotationError
        If it can't be read, holds no region, or one lies outside the slide.
    """
    found = drawn_regions(path, slide)
    width, height = slide.size
    shown = shapely.box(0, 0, width, height)
    for region in found.regions:
        if not region.polygon.intersects(shown):
            raise AnnotationError(
                f"has a region {region.name!r} outside the slide ({width} x {height} px)",
                where=path,
                remedy="was it drawn on another slide? Remove it, or name the right file",
            )
    return SlideRegions(tuple(found.regions), _remark(found, path))


def _remark(found: RegionsFound, path: Path) -> str:
    """What else a file holds and what was mended, in words."""
    others = in_words(found.passed_over)
    clauses = [f"{others} passed over, as they are no regions"] if others else []
    if found.mended:
        named = ", ".join(map(repr, found.mended[:_MOST_NAMED]))
        more = f" and {len(found.mended) - _MOST_NAMED} more" if len(found.mended) > _MOST_NAMED else ""
        clauses.append(f"outlines that cross themselves were mended: {named}{more}")
    counted = [
        region.name for region in found.regions if not region.ignored and is_ignored_class(region.name)
    ]
    if counted:
        named, more = ", ".join(map(repr, counted[:_MOST_NAMED])), ", …" if len(counted) > _MOST_NAMED else ""
        clauses.append(
            f"by its name alone nothing is ignored: {named}{more} isn't of a class Ignore*, and counts"
        )
    return f"of {path.name}, {'; '.join(clauses)}" if clauses else ""


def needed_shards(
    grid: TileGrid, tissue: TissueMask, scale: Scale, regions: Sequence[Region], *, only_regions: bool
) -> tuple[Shard, ...]:
    """What has to be computed of a slide: the tiles that touch tissue and, with `only_regions`, decide about the regions.

    Parameters
    ----------
    regions : level-0 px
    """
    of_tissue = shards(grid, tissue)
    return shards_for(of_tissue, regions, tissue, scale) if only_regions else of_tissue


def shards_for(
    of_tissue: Sequence[Shard], regions: Sequence[Region], tissue: TissueMask, scale: Scale
) -> tuple[Shard, ...]:
    """The tiles that decide which cells lie in the regions, in the shards that have any.

    Parameters
    ----------
    of_tissue : all of them
    regions : level-0 px; if all of them are ignored ones, all that isn't ignored counts
    """
    shape = looked_at(regions, tissue, scale, only_regions=True)
    tiles = [tile for shard in of_tissue for tile in shard.tiles]
    if shape is None or not tiles:
        return ()
    wanted = set(_near(tiles, shape, scale))
    kept = (
        replace(shard, tiles=tuple(tile for tile in shard.tiles if tile.index in wanted))
        for shard in of_tissue
    )
    return tuple(shard for shard in kept if shard.tiles)


def searched_units(
    regions: Sequence[Region], tissue: TissueMask, scale: Scale, *, only_regions: bool
) -> BoolArray:
    """Where cells are looked for: (rows, columns) bool in units of the tissue's mask."""
    if not only_regions:
        return tissue.mask
    shape = looked_at(regions, tissue, scale, only_regions=True)
    if shape is None:
        return np.zeros_like(tissue.mask)
    return tissue.mask & (tissue_raster(shape, replace(tissue, cover=None), scale) > 0)


def _near(tiles: Sequence[Tile], shape: Polygons, scale: Scale) -> Iterator[int]:
    """The indices of the tiles whose core lies in reach of the shape."""
    corners = np.array([(one.core.x, one.core.y, one.core.right, one.core.bottom) for one in tiles])
    tree = shapely.STRtree(shapely.box(*scale.to_l0(corners).T))
    reach = REACH_PX * scale.l0_per_model_px
    _, found = tree.query(shapely.get_parts(shape), predicate="dwithin", distance=reach)
    for k in np.unique(found).tolist():
        yield tiles[k].index
