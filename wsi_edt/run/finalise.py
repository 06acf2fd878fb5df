"""From a slide's complete store to its files: findings, result, and a loop over the outputs."""

from __future__ import annotations

import json
from pathlib import Path

import wsi_edt
from wsi_edt.cells import Cells
from wsi_edt.detection.stitching import stitch
from wsi_edt.errors import OutputError, SlideError
from wsi_edt.geometry import pixel_centers
from wsi_edt.ki67 import SlideFindings, assess
from wsi_edt.ki67.findings import Provenance, classes_of_stain
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.outputs import read_ki67, remove_results, result_names
from wsi_edt.results.store import Finished, SlideStore
from wsi_edt.results.written import as_written, is_as_written, keep_aside, other_than_written
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.memory import trim_memory
from wsi_edt.run.plan import SlidePlan
from wsi_edt.run.settings import RunSettings


def finalise(plan: SlidePlan, store: SlideStore, folder: Path, settings: RunSettings) -> SummaryRow:
    """Write a slide's files from its store, and mark the store as finished once they are all there.

    Each file takes its place when it is complete; after a kill in between, the next run writes them all again, with the
    same bytes. A file that was changed since an earlier run wrote it is kept under another name.

    Raises
    ------
    SlideError
        If the slide's file isn't the one that was planned any more: its cells may be of both.
    OutputError
        If a file can't be written, or a shard can't be read back.
    """
    _refuse_changed(plan)
    mark = SlideStore.read_finished(store.path)
    if mark is not None:
        keep_aside(folder, other_than_written(folder, mark.files))
    store.mark_finished(None)
    seconds = sum(store.done_shards(plan.shards).values())
    findings = slide_findings(plan, store, settings)
    result = assess(findings, settings.conventions)
    for output in settings.outputs:
        output.write(folder, findings, result)
    remove_results(folder, settings.outputs, leave_new=True)  # an earlier run may have written otherwise
    written = as_written(folder, result_names(settings.outputs))
    store.mark_finished(Finished(written_as(settings, plan.regions_hash), seconds, written))
    del findings
    trim_memory()
    return SummaryRow.from_result(result, seconds=seconds)


def _refuse_changed(plan: SlidePlan) -> None:
    """SlideError if the slide's file has changed since it was planned; one that is gone by now was read to its end."""
    try:
        state = plan.ref.source.state()
    except SlideError:
        return
    if not plan.header.is_of(state.fingerprint, state.modified):
        raise SlideError(
            "changed while it was read (is it still being copied?)",
            where=plan.ref.source,
            remedy="once it is complete, run again with --overwrite",
        )


def slide_findings(plan: SlidePlan, store: SlideStore, settings: RunSettings) -> SlideFindings:
    """What was found on a slide; needs no network.

    Raises
    ------
    OutputError
        If a shard can't be read back.
    """
    cells = stitched_cells(plan, store, radius_px=settings.cells.decode.radius_px)
    return SlideFindings(
        slide=plan.ref.name,
        source=plan.ref.source,
        cells=classes_of_stain(cells, plan.staining),
        tissue=plan.tissue,
        staining=plan.staining,
        quality=plan.quality,
        scale=plan.scale,
        mpp_stated=plan.header.mpp_stated,
        bounds=plan.bounds,
        counted_by=settings.counted_by,
        remark=plan.remark,
        regions=plan.regions,
        provenance=Provenance(
            wsi_edt.__version__,
            settings.cells.model_sha256,
            settings.cells.cells_hash(),
            plan.header.fingerprint,
        ),
    )


def stitched_cells(plan: SlidePlan, store: SlideStore, *, radius_px: int) -> Cells:
    """The slide's cells in level-0 px, ordered by y, x and class: stitched, on tissue and on the slide.

    A cell is kept only if its own unit of the mask holds tissue, not because its tile does, so that its fate doesn't
    depend on the size of the tiles.

    Parameters
    ----------
    radius_px : the decoder's own, model px

    Raises
    ------
    OutputError
        If a shard can't be read back.
    """
    # A slide may have ten million cells. Nothing here holds more than 64 bytes of each at a time: the shards' peaks are
    # freed before the cells are made.
    peaks = store.read_shards([shard.index for shard in plan.shards])
    trim_memory()  # what the shards took one by one
    stitched = stitch(peaks, plan.grid, radius_px=radius_px)
    del peaks
    x, y = pixel_centers(stitched.x), pixel_centers(stitched.y)
    held = plan.tissue.holds(x, y)
    # Stitched peaks come ordered by y and x, no two on one px, and a change of scale keeps that order.
    return Cells(
        plan.scale.to_l0(x[held]), plan.scale.to_l0(y[held]), stitched.score[held], stitched.class_id[held]
    )


def written_as(settings: RunSettings, regions_hash: str | None) -> dict[str, object]:
    """What a slide's files depend on beside its store; if it is another, they are written again, without a network."""
    fields: dict[str, object] = json.loads(
        json.dumps(settings.options.output.to_json() | {"conventions": settings.conventions.to_json()})
    )
    if regions_hash is not None:
        fields["regions"] = regions_hash
    return fields


def finished_row(ref: SlideRef, folder: Path, settings: RunSettings) -> SummaryRow | None:
    """The row of a slide whose files are all there, as the settings want them; else None."""
    mark = SlideStore.read_finished(folder / names.STORE)
    if mark is None or mark.written_as != written_as(settings, ref.regions_hash()):
        return None
    if not is_as_written(folder, result_names(settings.outputs), mark.files):
        return None
    try:
        return SummaryRow.from_result(read_ki67(folder / names.KI67), seconds=mark.seconds)
    except OutputError:  # damaged, or of an earlier version: it is written again
        return None
