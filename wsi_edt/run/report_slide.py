"""One slide reported again from its store: by other rules, regions or a higher threshold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from wsi_edt.corrections import NOTHING
from wsi_edt.errors import SlideError, WsiEdtError, readable
from wsi_edt.ki67 import Conventions, assess
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.exports import Export, exports
from wsi_edt.results.outputs import OutputOptions, outputs
from wsi_edt.results.seen import Drawn, write_seen
from wsi_edt.results.store import SlideStore
from wsi_edt.results.tissue_picture import draw_tissue, remove_tissue
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.finalise import write_results, written_as
from wsi_edt.run.progress import RunProgress
from wsi_edt.run.regions import read_slide_regions, searched_units
from wsi_edt.run.stored import StoredSlide
from wsi_edt.slides.tissue import slide_tissue


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A slide, and how it is to be reported.

    Attributes
    ----------
    ref : the slide, with the file of its regions if there are new ones
    whole : whether regions that it was reported by alone are given up
    """

    slide: StoredSlide
    ref: SlideRef
    conventions: Conventions
    output: OutputOptions
    threshold: float
    whole: bool = False


def left_by(slide: StoredSlide | None) -> str:
    """What is in the folder of a slide whose report failed; "" if that isn't known, or is half of it."""
    if slide is None or SlideStore.read_finished(slide.folder / names.STORE) != slide.mark:
        return ""
    return "its files are still those of the last report"


def reported(one: Wanted, progress: RunProgress) -> SummaryRow:
    """Write a slide's files again; its row.

    Raises
    ------
    WsiEdtError
        If that can't be done.
    """
    slide, store = one.slide, SlideStore(one.slide.folder / names.STORE, one.slide.header)
    gone = _why_gone(slide)
    drawn = _new_regions(one)
    record, before = slide.corrections.read(), None
    if record.revision:
        uncorrected = slide.findings(threshold=one.threshold, drawn=drawn, record=NOTHING)
        before = assess(uncorrected, one.conventions)
        del uncorrected
    findings = slide.findings(threshold=one.threshold, drawn=drawn, record=record)
    if drawn is None:
        drawn = slide.seen.drawn
    else:
        write_seen(store.path, replace(slide.seen, drawn=drawn))
        _draw_tissue(slide, store, drawn, slide_is_gone=gone is not None)
    written = written_as(
        one.output,
        one.conventions,
        regions=drawn.sha256,
        only_regions=drawn.alone,
        threshold=None if one.threshold == slide.cells.decode.threshold else one.threshold,
        corrections=record.revision,
    )
    tables = list(_exported(slide))
    row = write_results(
        findings,
        store,
        slide.folder,
        outputs(one.output),
        one.conventions,
        written,
        slide.seconds(drawn) or 0.0,
        slide_is_gone=gone is not None,
        before=before,
    )
    for table in tables:
        table.write(slide.folder / table.name, findings)
    if gone is None:
        return row
    progress.note(f"{slide.name}: {gone}")
    return replace(row, error=gone)


def _draw_tissue(slide: StoredSlide, store: SlideStore, drawn: Drawn, *, slide_is_gone: bool) -> None:
    """Show where cells were looked for by the regions that are reported now; without the slide there is no picture."""
    if slide_is_gone:
        remove_tissue(store, slide.folder)
        return
    seen = slide.seen
    with seen.source.open() as opened:
        _, overview = slide_tissue(opened, model_mpp=seen.scale.model_mpp)
    searched = searched_units(drawn.regions, seen.tissue, seen.scale, only_regions=drawn.alone)
    draw_tissue(store, slide.folder, overview, searched)


def _why_gone(slide: StoredSlide) -> str | None:
    """Why a slide can't be shown any more; None if it can.

    Raises
    ------
    SlideError
        If another file has taken its place.
    """
    try:
        state = slide.seen.source.state()
    except SlideError as error:
        return f"its pictures are left out, as {error.sentence(with_remedy=False)}"
    if not slide.header.is_of(state.fingerprint, state.modified):
        raise SlideError(
            "isn't the file that was counted any more",
            where=slide.seen.source,
            remedy="put that one back, or run again with --overwrite",
        )
    return None


def _new_regions(one: Wanted) -> Drawn | None:
    """The regions to report instead of those that were; None if there are none."""
    if one.ref.refused is not None:
        raise one.ref.refused
    if one.ref.regions is None:
        return Drawn() if one.whole else None
    sha256 = one.ref.regions_hash()  # before they are read, see `plan_slide`
    read = read_slide_regions(one.ref.regions, one.slide.seen.drawn_on)
    return Drawn(read.regions, sha256, read.remark, alone=True, file=readable(one.ref.regions.name))


def _exported(slide: StoredSlide) -> Iterator[Export]:
    """The tables that were exported beside the slide's files, and can be written again."""
    own = {output.name for output in outputs(slide.output)}
    for export in exports(slide.output).values():
        if export.name not in own and (slide.folder / export.name).exists():
            with suppress(WsiEdtError):  # what it needs isn't installed: it is removed, as by a run
                export.refuse()
                yield export
