"""What is to be done for one slide, found out before any network runs: its scale, its tissue, its shards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from wsi_edt.annotations import AnnotatedSlide
from wsi_edt.errors import SlideError
from wsi_edt.geometry import Scale, Window
from wsi_edt.qupath.regions import BoolArray, Region
from wsi_edt.results.store import StoreHeader
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.regions import SlideRegions, needed_shards, read_slide_regions, searched_units
from wsi_edt.run.settings import CellSettings
from wsi_edt.slides.black import BlackAsWhite
from wsi_edt.slides.grid import Shard, TileGrid
from wsi_edt.slides.metadata import COARSEST_MPP
from wsi_edt.slides.protocol import LACKS_FINEST, RgbArray, remark, required_mpp
from wsi_edt.slides.quality import SlideQuality, measure_quality
from wsi_edt.slides.stain_style import KnownStains
from wsi_edt.slides.staining import Staining, classify_staining
from wsi_edt.slides.tissue import TissueMask, slide_tissue

LARGEST_SLIDE_MM2 = 20_000.0  # 100 × 200 mm; glass of 76 × 52 mm is the largest in use but for whole organs


@dataclass(frozen=True, slots=True, eq=False)
class SlidePlan:
    """One slide's plan, a pure function of its files and the settings that change cells.

    Attributes
    ----------
    header : what the slide's store must belong to
    bounds : what QuPath shows of the slide, level-0 px
    shards : of the tiles that touch tissue and, with `only_regions`, decide about the regions; none without tissue
    drawn_on : the slide as files of regions know it
    remark : what the user should know of how the slide is read, see `protocol.remark`
    regions : drawn on the slide, in the file's order; they change no cell, only which of them are looked for
    regions_hash : of the file's bytes, see `SlideRef.regions_hash`; taken before the regions are read
    passed_over : a clause on what of that file is no region; "" if there is nothing else
    only_regions : whether nothing but the regions is looked at
    """

    ref: SlideRef
    header: StoreHeader
    scale: Scale
    bounds: Window
    staining: Staining
    tissue: TissueMask
    quality: SlideQuality
    grid: TileGrid
    shards: tuple[Shard, ...]
    drawn_on: AnnotatedSlide
    remark: str | None = None
    regions: tuple[Region, ...] = ()
    regions_hash: str | None = None
    passed_over: str = ""
    only_regions: bool = False

    @property
    def searched(self) -> BoolArray:
        """Where cells are looked for: (rows, columns) bool in units of the tissue's mask."""
        return searched_units(self.regions, self.tissue, self.scale, only_regions=self.only_regions)


class Planner(Protocol):
    """`plan_slide`, or what calls it elsewhere."""

    def __call__(
        self,
        ref: SlideRef,
        cells: CellSettings,
        *,
        allow_coarse: bool = False,
        known_stains: KnownStains | None = None,
    ) -> tuple[SlidePlan, RgbArray]:
        """See `plan_slide`."""


def plan_slide(
    ref: SlideRef,
    cells: CellSettings,
    *,
    allow_coarse: bool = False,
    known_stains: KnownStains | None = None,
) -> tuple[SlidePlan, RgbArray]:
    """The plan of a slide, and the overview (H, W, 3) whose px are those of its tissue mask.

    Parameters
    ----------
    allow_coarse : whether a slide of more than 1 µm/px is planned all the same
    known_stains : of the model's training pictures, see `measure_quality`

    Raises
    ------
    SlideError
        If the slide can't be read, states no µm/px or too many, or is fluorescence.
    AnnotationError
        If the file of its regions can't be read, or a region lies outside the slide.
    """
    state = ref.source.state()
    regions_hash = (
        ref.regions_hash()
    )  # before they are read: a file that changes meanwhile is read again next time
    with ref.source.open() as opened:
        scale = Scale(required_mpp(opened), cells.model_mpp)
        if scale.slide_mpp > COARSEST_MPP and not allow_coarse:
            raise SlideError(
                f"has {scale.slide_mpp:.4g} µm/px, which is too coarse for nuclei (over {COARSEST_MPP:g} µm/px)",
                where=ref.source,
                remedy="export a finer level, or pass --allow-coarse",
            )
        if LACKS_FINEST in opened.properties and not allow_coarse:
            raise SlideError(
                f"lacks its finest level: {opened.properties[LACKS_FINEST]}",
                where=ref.source,
                remedy="copy the whole series into one folder, or pass --allow-coarse",
            )
        _refuse_impossible_size(opened.dimensions, scale, ref)
        tissue, overview = slide_tissue(opened, model_mpp=cells.model_mpp)
        if tissue.black_share:
            _refuse_all_black(tissue, ref)
            ref = replace(ref, source=replace(ref.source, black_as_white=True))
        slide = BlackAsWhite(opened) if tissue.black_share else opened
        staining = classify_staining(slide, tissue, overview)
        if staining is Staining.FLUORESCENCE:
            raise SlideError(
                "is a fluorescence slide",
                where=ref.source,
                remedy="the model is for brightfield, so leave it out",
            )
        quality = measure_quality(
            slide, tissue, overview, staining, zero_share=state.zero_share, known_stains=known_stains
        )
        bounds, stated, drawn_on = slide.bounds, slide.mpp_stated, AnnotatedSlide.of(slide)
        drawn = SlideRegions() if ref.regions is None else read_slide_regions(ref.regions, drawn_on)
        remarked = remark(slide)
    if not cells.tissue_mask:
        tissue = tissue.everywhere()
    grid = cells.grid(tissue)
    to_do = needed_shards(grid, tissue, scale, drawn.regions, only_regions=ref.only_regions)
    header = StoreHeader(
        cells.cells_hash(),
        cells.to_json(),
        state.fingerprint,
        scale.slide_mpp,
        stated,
        tissue.extent,
        state.modified,
    )
    return SlidePlan(
        ref,
        header,
        scale,
        bounds,
        staining,
        tissue,
        quality,
        grid,
        to_do,
        drawn_on,
        remarked,
        drawn.regions,
        regions_hash,
        drawn.remark,
        ref.only_regions,
    ), overview


def _refuse_all_black(tissue: TissueMask, ref: SlideRef) -> None:
    """SlideError for a slide without a picture: "no tissue" would be a result."""
    if tissue.black_share == 1:
        raise SlideError(
            "is black all over: nothing was scanned, or its px weren't copied",
            where=ref.source,
            remedy="copy or export it again",
        )


def _refuse_impossible_size(dimensions: tuple[int, int], scale: Scale, ref: SlideRef) -> None:
    """SlideError for a slide whose overview alone would fill the memory: its size, or its µm/px, is wrong."""
    width, height = (side * scale.slide_mpp / 1000 for side in dimensions)
    if width * height > LARGEST_SLIDE_MM2:
        raise SlideError(
            f"would be {width:.0f} × {height:.0f} mm large ({dimensions[0]} × {dimensions[1]} px at "
            f"{scale.slide_mpp:.4g} µm/px), more than any slide",
            where=ref.source,
            remedy="its size or its µm/px is wrong: export it again",
        )
