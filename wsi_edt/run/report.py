"""Reports made again by other rules, regions or a higher threshold: from the slides' stores, without a network."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from wsi_edt.errors import OutputError, UsageError, readable
from wsi_edt.ki67 import Conventions
from wsi_edt.report.pdf import refuse_without_weasyprint
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.lock import results_lock
from wsi_edt.results.summary import BatchFiles
from wsi_edt.results.traces import without_lock
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.earlier_rows import failed_earlier, other_rows
from wsi_edt.run.failed import listed_rows
from wsi_edt.run.outcomes import Outcomes, RunResult
from wsi_edt.run.progress import HarmlessProgress, NoProgress, RunProgress, counted
from wsi_edt.run.record import RunRecord
from wsi_edt.run.report_slide import Wanted, left_by, reported
from wsi_edt.run.roi import with_roi
from wsi_edt.run.stop import StopRequest
from wsi_edt.run.stored import StoredResults, StoredSlide, stored_results
from wsi_edt.slides.source import SlideSource

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
        before = listed_rows(root)
        failed = tuple(failed_earlier(before, again.keys() | {name for name, _ in found.faults}))
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
            left_by=lambda ref: left_by(again.get(ref.name)),
        )
        outcomes.begin((), others=len(files.slides) - len(wanted) - len(found.faults))
        others = [*failed, *other_rows(whole, found, before)]
        for other in others:
            files.take(other)
        for name, error in found.faults:
            outcomes.failed(SlideRef(SlideSource(root / name), name), error)
        for one in wanted:
            if stop.asked:
                break
            refuse_if_lost()
            if row := outcomes.attempt(one.ref, partial(reported, one, progress)):
                outcomes.ended(one.ref, row)
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
) -> tuple[tuple[Wanted, ...], tuple[str, ...]]:
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
        Wanted(
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
    if asked is not None and slide.corrections.read().threshold is not None:
        raise UsageError(
            "has a threshold that a person set",
            where=slide.corrections.path,
            remedy="undo that one, or report without --threshold",
        )
    return slide.threshold if asked is None else slide.cells.with_threshold(asked).decode.threshold


def _some(listed: Sequence[str]) -> str:
    return ", ".join(listed[:_MOST_NAMED]) + (", …" if len(listed) > _MOST_NAMED else "")


def _batch_files(
    whole: StoredResults, wanted: Sequence[Wanted], unfinished: Sequence[str], failed: Sequence[SummaryRow]
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


def _is_below(slide: str, results: Path, root: Path) -> bool:
    """Whether a slide's folder is what was named, or lies in it."""
    named = Path(os.path.abspath(results))  # noqa: PTH100 - as `stored_results` has it
    return (root / slide).is_relative_to(named)


def _configuration(options: ReportOptions, conventions: Conventions) -> dict[str, object]:
    """What report.json says of what was asked for."""
    return {
        "conventions": conventions.to_json(),
        "roi": None if options.roi is None else readable(str(options.roi)),
        "no_roi": options.no_roi,
        "threshold": options.threshold,
        "pdf": options.pdf,
    }
