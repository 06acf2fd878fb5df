"""A batch: slides in, results out, as far as an earlier run left them undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from pathlib import Path

from wsi_edt.cluster.pool import ShardPool
from wsi_edt.errors import WsiEdtError
from wsi_edt.results import names
from wsi_edt.results.lock import results_lock
from wsi_edt.results.summary import BatchFiles
from wsi_edt.results.traces import without_empty_folders, without_lock
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.outcomes import Outcomes, RunResult
from wsi_edt.run.plan import Planner, plan_slide
from wsi_edt.run.progress import HarmlessProgress, RunProgress, counted
from wsi_edt.run.record import RunRecord
from wsi_edt.run.resume import (
    changed_results_note,
    earlier_results,
    refuse_other_settings,
    row_if_finished,
)
from wsi_edt.run.schedule import Schedule
from wsi_edt.run.settings import RunSettings
from wsi_edt.run.slide_names import placeless, refuse_alike
from wsi_edt.run.stop import StopRequest
from wsi_edt.run.tree import Fault
from wsi_edt.slides.location import SlidePath

__all__ = ["PoolOpener", "RunResult", "run_batch"]

PoolOpener = Callable[[SlidePath], AbstractContextManager[ShardPool]]


def run_batch(
    slides: Sequence[SlideRef],
    out: Path,
    *,
    settings: RunSettings,
    open_pool: PoolOpener,
    progress: RunProgress,
    stop: StopRequest | None = None,
    plan_slide: Planner = plan_slide,
    faults: Sequence[Fault] = (),
) -> RunResult:
    """Process the slides into the results folder, and continue there from where an earlier run stopped.

    Parameters
    ----------
    slides : as `find_slides` finds them
    out : the results folder; made if it is missing
    open_pool : opens the pool that computes shards; called at the first shard, with the path of its slide
    progress : is told about each step
    stop : ends the run early when it is asked for
    plan_slide : plans each slide, by any of two threads; by default in this process
    faults : the folders that couldn't be looked into; each gets a row, as a slide that failed

    Raises
    ------
    OutputError
        If the results can't be written, belong to other settings, or to another run that is going on.
    ModelError, UsageError, ClusterLostError
        If no worker can compute. What is stored stays, and the same call continues.
    """
    record = RunRecord.begin()
    progress = HarmlessProgress(progress)
    with (
        without_empty_folders(out),
        results_lock(out, note=progress.note) as refuse_if_lost,
        without_lock(out),
    ):
        refuse_other_settings(slides, out, settings)
        refuse_alike([slide.name for slide in slides], out)
        files = BatchFiles(
            out,
            sorted([*(slide.name for slide in slides), *(fault.name for fault in faults)]),
            settings.counted_by,
            settings.conventions,
            cases={slide.name: slide.case for slide in slides if slide.case},
        )
        outcomes = Outcomes(out, files, progress=progress, model=settings.counted_by.model)
        for fault in faults:
            outcomes.unreachable(fault)
        for slide in slides:
            outcomes.attempt(slide, partial(_look_for_results, slide, out, settings, outcomes, progress))
        to_do = outcomes.begin(slides)
        if others := earlier_results(slides, out):
            progress.note(
                f"{counted(others, 'slide')} with earlier results in {out.absolute()} {'is' if others == 1 else 'are'} "
                f"not part of this run: {names.SUMMARY} and {names.BATCH_REPORT} there list this run's slides only"
            )
        with ExitStack() as pools:
            schedule = Schedule(
                to_do,
                out,
                settings=settings,
                open_pool=lambda path: pools.enter_context(open_pool(path)),
                progress=progress,
                outcomes=outcomes,
                stop=stop or StopRequest(),
                plan_slide=plan_slide,
                refuse_if_lost=refuse_if_lost,
            )
            try:
                schedule.work()
            except WsiEdtError:
                if files.rows:  # a run that did nothing leaves nothing
                    with suppress(WsiEdtError):  # the disk may be full
                        refuse_if_lost()
                        _end(files, record, settings)
                raise
        refuse_if_lost()
        return _end(files, record, settings)


def _end(files: BatchFiles, record: RunRecord, settings: RunSettings) -> RunResult:
    """Write the batch's files and the run's record, with the slides that have ended; what came of it."""
    rows = files.write()
    result = RunResult(rows, unfinished=len(files.slides) - len(rows))
    record.write(
        files.folder / names.RUN_RECORD,
        configuration=settings.to_json(),
        slides=len(files.slides),
        failed=result.failed,
        unfinished=result.unfinished,
    )
    return result


def _look_for_results(
    slide: SlideRef, out: Path, settings: RunSettings, outcomes: Outcomes, progress: RunProgress
) -> None:
    """Take the row of a slide that an earlier run has finished; say what came to harm since.

    Raises
    ------
    SlideError
        If the slide can't have results there.
    AnnotationError
        If it has no regions that it could be run with.
    """
    if (refused := placeless(slide.name, out) or slide.refused) is not None:
        raise refused
    if (row := row_if_finished(slide, out, settings)) is not None:
        outcomes.finished_earlier(row)
    elif note := changed_results_note(slide, out):
        progress.note(f"{slide.name}: {note}")
