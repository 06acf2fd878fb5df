"""Reports made again by other rules, regions or a higher threshold: from the slides' stores, without a network."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from wsi_edt.errors import OutputError, SlideError, UsageError, WsiEdtError, readable
from wsi_edt.ki67 import Conventions
from wsi_edt.report.pdf import refuse_without_weasyprint
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.exports import Export, exports
from wsi_edt.results.lock import results_lock
from wsi_edt.results.outputs import OutputOptions, outputs, read_ki67
from wsi_edt.results.seen import Drawn, write_seen
from wsi_edt.results.store import SlideStore
from wsi_edt.results.summary import BatchFiles
from wsi_edt.results.tissue_picture import draw_tissue, remove_tissue
from wsi_edt.results.traces import without_lock
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.finalise import write_results, written_as
from wsi_edt.run.outcomes import Outcomes, RunResult
from wsi_edt.run.progress import HarmlessProgress, NoProgress, RunProgress, counted
from wsi_edt.run.record import RunRecord
from wsi_edt.run.regions import read_slide_regions, searched_units
from wsi_edt.run.roi import with_roi
from wsi_edt.run.stop import StopRequest
from wsi_edt.run.stored import StoredResults, StoredSlide, stored_results
from wsi_edt.slides.source import SlideSource
from wsi_edt.slides.tissue import slide_tissue
from wsi_edt.tables.harmless import as_it_was

_MOST_NAMED = 5


def _as_before(conventions: Conventions) -> Conventions:
    return conventions


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What is reported otherwise; what isn't named here stays as each slide was last reported.

    Attributes
    ----------
    conventions : gives a slide's new rules, from those that it was last reported by
    roi : a file of regions, or a folder of such files: what is reported of the slides, alone
    no_roi : reports whole slides again that were reported by regions alone
    threshold : the score that a cell must exceed, at least the run's
    pdf : whether report.pdf is written too, also where it wasn't
    """

    conventions: Callable[[Conventions], Conventions] = _as_before
    roi: Path | None = None
    threshold: float | None = None
    pdf: bool = False
    no_roi: bool = False

    def __post_init__(self) -> None:
        if self.no_roi and self.roi is not None:
            raise UsageError("--roi and --no-roi exclude each other", remedy="give one of them")


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
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


def report_slides(
    results: Path,
    options: ReportOptions | None = None,
    *,
    progress: RunProgress | None = None,
    stop: StopRequest | None = None,
) -> RunResult:
    """Make the reports and numbers of a results folder's finished slides again.

    No network runs. A slide's file is read for the pictures alone: where it is gone, they are left out. Slides that have
    failed keep their rows in the batch's files; those that aren't finished are left as they are.

    Parameters
    ----------
    results : a results folder, or the folder of a slide in it
    progress : is told about each step
    stop : ends it early, before the next slide, when it is asked for

    Returns
    -------
    A row per slide of the whole results folder.

    Raises
    ------
    UsageError
        If there are no results, or an option makes no sense for one of the slides; nothing is written then.
    OutputError
        If no slide is finished, another run is writing there, or there is no room.
    """
    options, stop = options or ReportOptions(), stop or StopRequest()
    progress = HarmlessProgress(progress or NoProgress())
    root = stored_results(results).root
    _refuse_read_only(root)
    record = RunRecord.begin()
    with results_lock(root, note=progress.note, elsewhere="") as refuse_if_lost, without_lock(root):
        found = stored_results(results)
        wanted, unfinished = _sorted_out(found, options, progress)
        whole = found if found.is_whole else stored_results(root)
        again = {one.slide.name: one.slide for one in wanted}
        before = _listed(root)
        failed = tuple(_failed_earlier(before, again.keys() | {name for name, _ in found.faults}))
        if failed:
            what = (
                "slide that failed keeps its row"
                if len(failed) == 1
                else "slides that failed keep their rows"
            )
            progress.note(f"{len(failed):,} {what}: {_some([row.slide for row in failed])}")
        files = _batch_files(whole, wanted, unfinished, failed)
        outcomes = Outcomes(
            root,
            files,
            progress=progress,
            model=files.counted_by.model,
            left_by=lambda ref: _left_by(again.get(ref.name)),
        )
        outcomes.begin((), others=len(files.slides) - len(wanted) - len(found.faults))
        others = [*failed, *_other_rows(whole, found, before)]
        for row in others:
            files.take(row)
        for name, error in found.faults:
            outcomes.failed(SlideRef(SlideSource(root / name), name), error)
        for one in wanted:
            if stop.asked:
                break
            refuse_if_lost()
            if reported := outcomes.attempt(one.ref, partial(_reported, one, progress)):
                outcomes.ended(one.ref, reported)
        refuse_if_lost()
        rows = files.write()
        result = RunResult(
            rows,
            unfinished=sum(one.ref.name not in files.rows for one in wanted),
            others=frozenset(row.slide for row in others if not _is_below(row.slide, results, root)),
        )
        record.write(
            root / names.REPORT_RECORD,
            configuration=_configuration(options, files.conventions),
            slides=len(wanted) + len(found.faults),
            failed=result.failed,
            unfinished=result.unfinished,
        )
    return result


def _refuse_read_only(root: Path) -> None:
    if not os.access(root, os.W_OK | os.X_OK):
        raise OutputError(
            "can't be written to",
            where=root,
            remedy="check its permissions, or copy it to where you may write",
        )


def _sorted_out(
    found: StoredResults, options: ReportOptions, progress: RunProgress
) -> tuple[tuple[_Wanted, ...], tuple[str, ...]]:
    """The slides to report, and the names of those that aren't finished.

    Raises
    ------
    UsageError
        If an option makes no sense for one of them.
    OutputError
        If there is none.
    """
    finished = [slide for slide in found.slides if options.roi is not None or slide.seconds() is not None]
    unfinished = (*found.unfinished, *(slide.name for slide in found.slides if slide not in finished))
    if unfinished:
        progress.note(
            f"{counted(len(unfinished), 'slide')} left out, as not finished: {_some(sorted(unfinished))}; the command of "
            "the run continues there"
        )
    if not finished:
        raise next((error for _, error in found.faults), found.why_none())
    refs: Sequence[SlideRef] = [SlideRef(one.seen.source, one.name, one.seen.case) for one in finished]
    if options.roi is not None:
        refs, notes = with_roi(refs, options.roi, out=found.root)
        for note in notes:
            progress.note(note)
    wanted = tuple(
        _Wanted(
            slide,
            ref,
            options.conventions(slide.conventions),
            replace(slide.output, pdf=options.pdf or slide.output.pdf),
            _threshold(slide, options.threshold),
            whole=options.no_roi and slide.seen.drawn.alone,
        )
        for slide, ref in zip(finished, refs, strict=True)
    )
    if any(one.output.pdf for one in wanted):
        refuse_without_weasyprint()
    return wanted, unfinished


def _threshold(slide: StoredSlide, asked: float | None) -> float:
    """The threshold to report a slide with; UsageError if it can't be."""
    return slide.threshold if asked is None else slide.cells.with_threshold(asked).decode.threshold


def _some(listed: Sequence[str]) -> str:
    return ", ".join(listed[:_MOST_NAMED]) + (", …" if len(listed) > _MOST_NAMED else "")


def _batch_files(
    whole: StoredResults, wanted: Sequence[_Wanted], unfinished: Sequence[str], failed: Sequence[SummaryRow]
) -> BatchFiles:
    """The batch's files, for all slides of the results folder, those that failed in the run among them."""
    rules = {slide.name: slide.conventions for slide in whole.slides}
    rules |= {one.slide.name: one.conventions for one in wanted}
    (conventions, _), *_ = Counter(rules.values()).most_common(1)
    others = (
        *whole.unfinished,
        *unfinished,
        *(name for name, _ in whole.faults),
        *(row.slide for row in failed),
    )
    return BatchFiles(
        whole.root,
        sorted({*rules, *others}),
        wanted[0].slide.seen.counted_by,
        conventions,
        cases={
            **{slide.name: slide.seen.case for slide in whole.slides if slide.seen.case},
            **{row.slide: row.case for row in failed if row.case},
        },
    )


def _listed(root: Path) -> tuple[Mapping[str, str], ...]:
    """The rows of summary.csv, by column; none if somebody removed it, or wrote something else there."""
    try:
        with (root / names.SUMMARY).open(encoding="utf-8", newline="") as file:
            return tuple(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return ()


def _failed_earlier(before: Sequence[Mapping[str, str]], again: Set[str]) -> Iterator[SummaryRow]:
    """The rows of slides and folders that have failed, and aren't among those that are reported now."""
    for columns in before:
        row = SummaryRow.failed_in(columns)
        if row is not None and row.slide not in again:
            yield row


def _other_rows(
    whole: StoredResults, found: StoredResults, before: Sequence[Mapping[str, str]]
) -> Iterator[SummaryRow]:
    """The rows of slides that aren't reported again and haven't failed, as they were reported last."""
    left = {name for name, _ in found.faults} | {slide.name for slide in found.slides}
    remarks = {as_it_was(row.get("slide") or ""): as_it_was(row.get("error") or "") for row in before}
    left |= {row.slide for row in _failed_earlier(before, frozenset())}
    for slide in whole.slides:
        if slide.name in left:
            continue
        try:
            result = read_ki67(slide.folder / names.KI67)
        except OutputError as error:
            yield SummaryRow.failed(slide.name, error.sentence(), model=slide.seen.counted_by.model)
        else:
            row = SummaryRow.from_result(result, seconds=slide.mark.seconds)
            yield replace(row, error=remarks.get(slide.name) or None)
    for name, fault in whole.faults:
        if name not in left:
            yield SummaryRow.failed(name, fault.sentence(), model=found.slides[0].seen.counted_by.model)


def _is_below(slide: str, results: Path, root: Path) -> bool:
    """Whether a slide's folder is what was named, or lies in it."""
    named = Path(os.path.abspath(results))  # noqa: PTH100 - as `stored_results` has it
    return (root / slide).is_relative_to(named)


def _left_by(slide: StoredSlide | None) -> str:
    """What is in the folder of a slide whose report failed; "" if that isn't known, or is half of it."""
    if slide is None or SlideStore.read_finished(slide.folder / names.STORE) != slide.mark:
        return ""
    return "its files are still those of the last report"


def _reported(one: _Wanted, progress: RunProgress) -> SummaryRow:
    """Write a slide's files again; its row.

    Raises
    ------
    WsiEdtError
        If that can't be done.
    """
    slide, store = one.slide, SlideStore(one.slide.folder / names.STORE, one.slide.header)
    gone = _why_gone(slide)
    drawn = _new_regions(one)
    findings = slide.findings(threshold=one.threshold, drawn=drawn)
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


def _new_regions(one: _Wanted) -> Drawn | None:
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


def _configuration(options: ReportOptions, conventions: Conventions) -> dict[str, object]:
    """What report.json says of what was asked for."""
    return {
        "conventions": conventions.to_json(),
        "roi": None if options.roi is None else readable(str(options.roi)),
        "no_roi": options.no_roi,
        "threshold": options.threshold,
        "pdf": options.pdf,
    }
