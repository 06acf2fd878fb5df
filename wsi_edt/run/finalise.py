"""From a slide's whole store to its results on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.detection.stitching import stitch
from wsi_edt.errors import OutputError
from wsi_edt.geometry import pixel_centers
from wsi_edt.ki67.index import NO_COLOUR, NO_DAB, score_cells
from wsi_edt.ki67.result import SlideResult
from wsi_edt.qupath.cells_out import write_geojson
from wsi_edt.report.html import write_slide_report
from wsi_edt.report.overview import write_overview
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results.ki67_json import read_ki67, write_ki67
from wsi_edt.results.store import STORE_NAME, Finished, SlideStore
from wsi_edt.run.memory import trim_memory
from wsi_edt.run.plan import SlidePlan
from wsi_edt.run.settings import RunConfig
from wsi_edt.slides.opening import open_slide
from wsi_edt.slides.staining import Staining

KI67, REPORT, OVERVIEW, TISSUE, ERROR_LOG = (
    "ki67.json",
    "report.html",
    "overview.png",
    "tissue.png",
    "error.log",
)
_CELLS_FILES = ("cells.geojson", "cells.geojson.gz")
_CIRCLE_RADIUS_UM = 3.0  # of a small nucleus, so that neighbours don't overlap


def finalise(plan: SlidePlan, store: SlideStore, folder: Path, config: RunConfig) -> SummaryRow:
    """Write a slide's results from its store, and mark the store as finished once they are all there.

    Each file takes its place whole; killed in between, the next run writes them all again, with the same bytes.

    Raises
    ------
    OutputError
        Where a file can't be written, or a shard can't be read back.
    """
    store.mark_finished(None)
    indices = [shard.index for shard in plan.shards]
    seconds = sum(store.done_shards(indices).values())
    cells = slide_cells(store, plan, config)
    note = NO_COLOUR if plan.staining is Staining.GREY else NO_DAB
    no_dab = len(cells) > 0 and plan.staining is not Staining.DAB  # no cells at all is another reason
    if no_dab:  # without DAB no class means anything, and QuPath would make a "Positive %" of them
        cells = Cells(cells.x, cells.y, cells.score, np.full(len(cells), CellClass.NUCLEUS, np.uint8))
    score = score_cells(cells, area_mm2=plan.tissue.area_mm2, staining_note=note if no_dab else None)
    result = SlideResult(
        slide=plan.ref.name,
        score=score,
        staining=str(plan.staining),
        mpp=plan.header.slide_mpp,
        mpp_stated=plan.header.mpp_stated,
        model=config.cells.model,
    )
    write_geojson(
        folder / config.geojson_name,
        cells,
        slide_name=plan.ref.name,
        radius_px=_CIRCLE_RADIUS_UM / plan.header.slide_mpp,
        origin=(plan.bounds.x, plan.bounds.y) if config.origin == "qupath" else (0.0, 0.0),
        geometry=config.geometry,
    )
    write_ki67(folder / KI67, result)
    with open_slide(plan.ref.path, config.mpp) as slide:
        write_overview(folder / OVERVIEW, slide, cells)
    write_slide_report(folder / REPORT, result, overview=OVERVIEW, cells_file=config.geojson_name)
    _remove(
        folder, {*_CELLS_FILES, ERROR_LOG} - {config.geojson_name}
    )  # an earlier run may have written otherwise
    store.mark_finished(Finished(config.written_as(), seconds))
    del cells
    trim_memory()
    return SummaryRow.from_result(result, seconds=seconds)


def remove_results(folder: Path) -> None:
    """Remove a slide's results, but for its store: they would outlive the store that they came from.

    Raises
    ------
    OutputError
        Where the system refuses.
    """
    _remove(folder, {*_CELLS_FILES, KI67, REPORT, OVERVIEW, TISSUE, ERROR_LOG})


def slide_cells(store: SlideStore, plan: SlidePlan, config: RunConfig) -> Cells:
    """The slide's cells in level-0 px, ordered by y, x and class: stitched, on tissue and on the slide.

    A cell is kept only where its own unit of the mask holds tissue, not because its tile does: so its fate doesn't
    depend on the size of the tiles.

    Raises
    ------
    OutputError
        Where a shard can't be read back.
    """
    # A slide may have ten million cells. Nothing here holds more than 64 bytes of each at a time: the shards' peaks are
    # let go before the cells are made.
    indices = [shard.index for shard in plan.shards]
    peaks = store.read_shards(indices)
    trim_memory()  # what the shards took one by one
    stitched = stitch(peaks, plan.grid, radius_px=config.cells.decode.window_px // 2)
    del peaks
    x, y = pixel_centers(stitched.x), pixel_centers(stitched.y)
    held = plan.tissue.holds(x, y)
    # Stitched peaks come ordered by y and x, no two on one px, and a change of scale keeps that order.
    return Cells(
        plan.scale.to_l0(x[held]), plan.scale.to_l0(y[held]), stitched.score[held], stitched.class_id[held]
    )


def finished_row(folder: Path, config: RunConfig) -> SummaryRow | None:
    """The row of a slide whose results are there, whole and as `config` wants them; else None."""
    mark = SlideStore.read_finished(folder / STORE_NAME)
    wanted = (config.geojson_name, KI67, OVERVIEW, TISSUE, REPORT)
    if mark is None or mark.written_as != config.written_as():
        return None
    if not all((folder / name).is_file() for name in wanted):
        return None
    try:
        return SummaryRow.from_result(read_ki67(folder / KI67), seconds=mark.seconds)
    except OutputError:  # damaged: it is written again
        return None


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"can't remove {folder / name}: {error.strerror}; choose another --out"
            ) from error
