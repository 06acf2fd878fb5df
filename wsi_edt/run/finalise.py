"""From a slide's complete store to its files: findings, result, and a loop over the outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

import wsi_edt
from wsi_edt.cells import Cells
from wsi_edt.corrections import NOTHING, CorrectionsFile, Record
from wsi_edt.detection.densities import OD_UNIT
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.stitching import stitch
from wsi_edt.errors import OutputError, SlideError, readable
from wsi_edt.files import remove
from wsi_edt.geometry import pixel_centers
from wsi_edt.ki67 import Conventions, Ki67Result, SlideFindings, assess
from wsi_edt.ki67.deconvolution import deconvolved
from wsi_edt.ki67.findings import Provenance, classes_of_stain, with_regions
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.outputs import (
    OF_CELLS_ALONE,
    OF_SLIDE,
    Output,
    OutputOptions,
    read_ki67,
    remove_results,
    result_names,
)
from wsi_edt.results.seen import Drawn, Seen, read_seen
from wsi_edt.results.store import Finished, SlideStore
from wsi_edt.results.written import Written, as_written, is_as_written, keep_aside, other_than_written
from wsi_edt.run.corrected import corrected_findings
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.memory import trim_memory
from wsi_edt.run.plan import SlidePlan
from wsi_edt.run.regions import needed_shards
from wsi_edt.run.settings import CellSettings, RunSettings
from wsi_edt.slides.grid import Shard
from wsi_edt.slides.staining import Staining
from wsi_edt.slides.tissue import TissueMask

_AT_ONCE = 1_000_000  # cells

_OF_THE_REPORT = {
    "conventions",
    "pdf",
    "parquet",
}  # of `written_as`, what the cells' own files don't depend on


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
    seconds = sum(store.done_shards(plan.shards).values())
    seen, record = seen_of(plan, settings), CorrectionsFile(folder / names.CORRECTIONS).read()
    before = None
    if record.revision:
        before = assess(slide_findings(seen, store, settings.cells), settings.conventions)
    findings = slide_findings(seen, store, settings.cells, record=record)
    written = written_as(
        settings.options.output,
        settings.conventions,
        regions=plan.regions_hash,
        only_regions=plan.only_regions,
        corrections=record.revision,
    )
    return write_results(
        findings, store, folder, settings.outputs, settings.conventions, written, seconds, before=before
    )


def write_results(
    findings: SlideFindings,
    store: SlideStore,
    folder: Path,
    outputs: tuple[Output, ...],
    conventions: Conventions,
    written: Mapping[str, object],
    seconds: float,
    *,
    slide_is_gone: bool = False,
    before: Ki67Result | None = None,
) -> SummaryRow:
    """Write a slide's files from its findings, and mark its store; see `finalise`.

    Files of the cells alone are left as they are if they are of the same cells.

    Parameters
    ----------
    written : as the mark says it, see `written_as`
    seconds : of workers
    slide_is_gone : leaves out what shows nothing but the slide
    before : the result without corrections, if the findings have some
    """
    mark = SlideStore.read_finished(store.path)
    kept: dict[str, Written] = {}
    if mark is not None:
        changed = other_than_written(folder, mark.files)
        keep_aside(folder, changed)
        if _of_cells(mark.written_as) == _of_cells(written):
            kept = {name: mark.files[name] for name in OF_CELLS_ALONE & mark.files.keys() - set(changed)}
            kept = {name: state for name, state in kept.items() if (folder / name).exists()}
    store.mark_finished(Finished(written, seconds, {}))
    result = assess(findings, conventions)
    if before is not None:
        result = replace(result, before=before.areas)
    for output in outputs:
        if output.name in kept:
            continue
        if slide_is_gone and output.name in OF_SLIDE:
            remove(folder / output.name)  # it shows other cells
            continue
        output.write(folder, findings, result)
    remove_results(folder, outputs, leave_new=True)  # an earlier run may have written otherwise
    new = [name for name in result_names(outputs) if name not in kept and (folder / name).exists()]
    store.mark_finished(Finished(written, seconds, kept | as_written(folder, new)))
    del findings
    trim_memory()
    return SummaryRow.from_result(result, seconds=seconds)


def _of_cells(written: Mapping[str, object]) -> dict[str, object]:
    """What of `written_as` files of the cells alone depend on."""
    return {name: value for name, value in written.items() if name not in _OF_THE_REPORT}


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


def seen_of(plan: SlidePlan, settings: RunSettings) -> Seen:
    """What a plan tells of its slide."""
    return Seen(
        slide=plan.ref.name,
        source=plan.ref.source,
        case=plan.ref.case,
        fingerprint=plan.header.fingerprint,
        scale=plan.scale,
        mpp_stated=plan.header.mpp_stated,
        bounds=plan.bounds,
        drawn_on=plan.drawn_on,
        staining=plan.staining,
        quality=plan.quality,
        tissue=plan.tissue,
        counted_by=settings.counted_by,
        remark=plan.remark,
        drawn=Drawn(
            plan.regions,
            plan.regions_hash,
            plan.passed_over,
            plan.only_regions,
            None if plan.ref.regions is None else readable(plan.ref.regions.name),
        ),
    )


def shards_of(seen: Seen, cells: CellSettings) -> tuple[Shard, ...]:
    """The shards that decide about a slide's cells."""
    drawn = seen.drawn
    return needed_shards(
        cells.grid(seen.tissue), seen.tissue, seen.scale, drawn.regions, only_regions=drawn.alone
    )


def slide_findings(
    seen: Seen,
    store: SlideStore,
    cells: CellSettings,
    *,
    threshold: float | None = None,
    record: Record = NOTHING,
) -> SlideFindings:
    """What was found on a slide; needs neither a network nor the slide.

    Parameters
    ----------
    cells : the store's settings
    threshold : a higher one: what is found is what a run with it would find
    record : of what a person corrected

    Raises
    ------
    UsageError
        If the threshold isn't possible, see `CellSettings.with_threshold`.
    OutputError
        If a shard can't be read back.
    """
    if record.revision:
        least = (
            cells.decode.threshold if threshold is None else cells.with_threshold(threshold).decode.threshold
        )
        found = found_on(seen, stitched_cells(seen, store, cells), cells)
        return corrected_findings(found, seen.drawn, record, cells, threshold=least)
    stitched = stitched_cells(seen, store, cells, threshold=threshold)
    if threshold is not None:
        cells = cells.with_threshold(threshold)
    return with_regions(found_on(seen, stitched, cells), seen.drawn.regions, restrict=seen.drawn.alone)


def found_on(seen: Seen, stitched: Cells, cells: CellSettings) -> SlideFindings:
    """What was found on a slide, without regions, of its stitched cells; `cells` are the settings that found them."""
    return SlideFindings(
        slide=seen.slide,
        source=seen.source,
        cells=classes_of_stain(stitched, seen.staining),
        tissue=seen.tissue,
        staining=seen.staining,
        quality=seen.quality,
        scale=seen.scale,
        mpp_stated=seen.mpp_stated,
        bounds=seen.bounds,
        counted_by=replace(seen.counted_by, threshold=cells.decode.threshold),
        remark="; ".join(filter(None, (seen.remark, seen.drawn.passed_over))) or None,
        provenance=Provenance(
            wsi_edt.__version__,
            cells.model_sha256,
            cells.cells_hash(),
            seen.fingerprint,
            seen.drawn.file,
            seen.drawn.sha256,
        ),
    )


def stitched_cells(
    seen: Seen, store: SlideStore, cells: CellSettings, *, threshold: float | None = None
) -> Cells:
    """The slide's cells in level-0 px, ordered by y, x and class: stitched, on tissue and on the slide.

    They have optical densities if the slide is stained with DAB: others hold other stains than those that are told apart.
    A cell is kept only if its own unit of the mask holds tissue, not because its tile does, so that its fate doesn't
    depend on the size of the tiles.

    Parameters
    ----------
    cells : the store's settings
    threshold : that scores must exceed beside; None for what is stored

    Raises
    ------
    OutputError
        If a shard can't be read back.
    """
    # A slide may have ten million cells. Nothing here holds more than 64 bytes of each at a time: the shards' peaks are
    # freed before the cells are made.
    grid = cells.grid(seen.tissue)
    peaks = store.read_shards(shard.index for shard in shards_of(seen, cells))
    if threshold is not None:  # before stitching, as a run would
        peaks = peaks.select(peaks.score > threshold)
    trim_memory()  # what the shards took one by one
    decode = cells.decode
    stitched = stitch(peaks, grid, radius_px=decode.radius_px, by_class=decode.is_separate)
    del peaks
    stitched = stitched.select(_held(stitched, seen.tissue))
    dyed = seen.staining is Staining.DAB
    haematoxylin, dab = deconvolved(stitched.density, unit=OD_UNIT) if dyed else (None, None)
    # Stitched peaks come ordered by y, x and class, no two of a class on one px, and a change of scale keeps that order.
    return Cells(
        seen.scale.to_l0(pixel_centers(stitched.x)),
        seen.scale.to_l0(pixel_centers(stitched.y)),
        stitched.score,
        stitched.class_id,
        haematoxylin,
        dab,
    )


def _held(peaks: TilePeaks, tissue: TissueMask) -> npt.NDArray[np.bool_]:
    """For each peak, whether it lies on tissue and on the slide; a million at a time, whose places take 70 bytes each."""
    held = np.empty(len(peaks), bool)
    for start in range(0, len(peaks), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        held[part] = tissue.holds(pixel_centers(peaks.x[part]), pixel_centers(peaks.y[part]))
    return held


def written_as(
    output: OutputOptions,
    conventions: Conventions,
    *,
    regions: str | None,
    only_regions: bool,
    threshold: float | None = None,
    corrections: int = 0,
) -> dict[str, object]:
    """What a slide's files depend on beside its store; if it is another, they are written again, without a network.

    Parameters
    ----------
    regions : the sha256 of their file; None without one
    only_regions : whether the slide is reported by them alone
    threshold : that the cells are reported with, where it isn't the store's own
    corrections : the revision of the record that was applied
    """
    fields: dict[str, object] = json.loads(
        json.dumps(output.to_json() | {"conventions": conventions.to_json()})
    )
    if regions is not None:
        fields["regions"] = regions
        fields["only_regions"] = only_regions
    if threshold is not None:
        fields["threshold"] = threshold
    if corrections:
        fields["corrections"] = corrections
    return fields


def finished_row(ref: SlideRef, folder: Path, settings: RunSettings) -> SummaryRow | None:
    """The row of a slide whose files are all there, as the settings want them; else None."""
    path = folder / names.STORE
    mark = SlideStore.read_finished(path)
    try:
        corrections = CorrectionsFile(folder / names.CORRECTIONS).read().revision
    except OutputError:  # it is told where they are applied
        return None
    wanted = written_as(
        settings.options.output,
        settings.conventions,
        regions=ref.regions_hash(),
        only_regions=ref.only_regions,
        corrections=corrections,
    )
    if mark is None or mark.written_as != wanted:
        return None
    if not is_as_written(folder, result_names(settings.outputs), mark.files):
        return None
    try:
        read_seen(path)
        return SummaryRow.from_result(read_ki67(folder / names.KI67), seconds=mark.seconds)
    except OutputError:  # damaged, or of an earlier version: it is written again
        return None
