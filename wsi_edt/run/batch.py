"""The run: slides in, results out, as far as an earlier run left them undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from wsi_edt.cluster.pool import ShardPool
from wsi_edt.report.html import write_batch_report
from wsi_edt.report.rows import Status, SummaryRow, write_summary
from wsi_edt.results.lock import results_lock
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.progress import Watcher, counted
from wsi_edt.run.record import RunRecord
from wsi_edt.run.resume import earlier_results, refuse_other_settings, row_if_finished
from wsi_edt.run.schedule import Schedule
from wsi_edt.run.settings import RunConfig
from wsi_edt.run.stop import StopRequest
from wsi_edt.slides.location import SlidePath

SUMMARY, REPORT, RECORD = "summary.csv", "report.html", "run.json"

PoolOpener = Callable[[SlidePath], AbstractContextManager[ShardPool]]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A row per slide that has ended, ordered by name.

    Attributes
    ----------
    unfinished : slides without a row, because the run was asked to stop
    """

    rows: tuple[SummaryRow, ...]
    unfinished: int = 0

    @property
    def failed(self) -> int:
        """How many slides failed."""
        return sum(row.status is Status.FAILED for row in self.rows)


def run(
    slides: Sequence[SlideRef],
    out: Path,
    *,
    config: RunConfig,
    open_pool: PoolOpener,
    watcher: Watcher,
    stop: StopRequest | None = None,
) -> RunResult:
    """Score the slides into the results folder, and continue there where an earlier run stopped.

    Parameters
    ----------
    slides : as `find_slides` gives them
    out : the results folder; made where missing
    open_pool : gives the pool that computes shards; called at the first shard, with the path of its slide
    watcher : is told of the steps
    stop : ends the run before its end, when it is asked for

    Raises
    ------
    OutputError
        Where the results can't be written, belong to other settings, or to another run that is going on.
    ModelError, UsageError, ClusterLostError
        Where no worker can compute. What is stored stays, and the same call continues.
    """
    record = RunRecord.begin(config)
    with results_lock(out):
        refuse_other_settings(slides, out, config)
        tables = _Tables(slides, out, model=config.cells.model)
        for slide in slides:
            if (row := row_if_finished(slide, out, config)) is not None:
                tables.rows[slide.name] = row
        watcher.begun(slides=len(slides), finished=len(tables.rows))
        if others := earlier_results(slides, out):
            watcher.note(
                f"{counted(others, 'slide')} with earlier results in {out.absolute()} are no part of this run: "
                f"{SUMMARY} and {REPORT} there tell of this run's slides alone"
            )
        to_do = [slide for slide in slides if slide.name not in tables.rows]
        with ExitStack() as pools:
            schedule = Schedule(
                to_do,
                out,
                config=config,
                open_pool=lambda path: pools.enter_context(open_pool(path)),
                watcher=watcher,
                ended=tables.add,
                stop=stop or StopRequest(),
            )
            schedule.work()
        rows = tables.write()
        result = RunResult(rows, unfinished=len(slides) - len(rows))
        record.write(out / RECORD, slides=len(slides), failed=result.failed, unfinished=result.unfinished)
    return result


@dataclass(slots=True)
class _Tables:
    """summary.csv and the batch's report, which tell of each slide as soon as it has ended."""

    slides: Sequence[SlideRef]
    out: Path
    model: str = field(kw_only=True)
    rows: dict[str, SummaryRow] = field(init=False, default_factory=dict)
    _next: float = field(init=False, default=0.0)

    def add(self, row: SummaryRow) -> None:
        """Take a slide's row and write both files, unless they would take more than a tenth of the run's time."""
        self.rows[row.slide] = row
        started = time.monotonic()
        if started >= self._next:
            self.write()
            self._next = time.monotonic() + 9 * (time.monotonic() - started)

    def write(self) -> tuple[SummaryRow, ...]:
        """Write both files; return the rows that are there, ordered as the slides are."""
        rows = tuple(self.rows[slide.name] for slide in self.slides if slide.name in self.rows)
        write_summary(self.out / SUMMARY, rows)
        write_batch_report(self.out / REPORT, rows, model=self.model, slides=len(self.slides))
        return rows
