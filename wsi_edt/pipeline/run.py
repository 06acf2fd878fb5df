"""The run: slides in, results out, as far as an earlier run left them undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.export.tables import Status, SummaryRow, write_summary
from wsi_edt.pipeline.cluster import ShardPool
from wsi_edt.pipeline.config import RunConfig
from wsi_edt.pipeline.discover import SlideRef
from wsi_edt.pipeline.lock import results_lock
from wsi_edt.pipeline.progress import Watcher
from wsi_edt.pipeline.record import RunRecord
from wsi_edt.pipeline.resume import refuse_other_settings, row_if_finished
from wsi_edt.pipeline.schedule import Schedule
from wsi_edt.report.html import write_batch_report

SUMMARY, REPORT, RECORD = "summary.csv", "report.html", "run.json"

PoolOpener = Callable[[Path], AbstractContextManager[ShardPool]]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A row per slide, ordered by name."""

    rows: tuple[SummaryRow, ...]

    @property
    def failed(self) -> int:
        """How many slides failed."""
        return sum(row.status is Status.FAILED for row in self.rows)


def run(
    slides: Sequence[SlideRef], out: Path, *, config: RunConfig, open_pool: PoolOpener, watcher: Watcher
) -> RunResult:
    """Score the slides into the results folder, and continue there where an earlier run stopped.

    Parameters
    ----------
    slides : as `find_slides` gives them
    out : the results folder; made where missing
    open_pool : gives the pool that computes shards; called at the first shard, with the path of its slide
    watcher : is told of the steps

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
        rows = {
            slide.name: row for slide in slides if (row := row_if_finished(slide, out, config)) is not None
        }
        watcher.begun(slides=len(slides), finished=len(rows))
        to_do = [slide for slide in slides if slide.name not in rows]
        with ExitStack() as pools:
            schedule = Schedule(
                to_do,
                out,
                config=config,
                open_pool=lambda path: pools.enter_context(open_pool(path)),
                watcher=watcher,
            )
            rows |= schedule.rows()
        result = RunResult(tuple(rows[slide.name] for slide in slides))
        write_summary(out / SUMMARY, result.rows)
        write_batch_report(out / REPORT, result.rows, model=config.cells.model)
        record.write(out / RECORD, slides=len(result.rows), failed=result.failed)
    return result
