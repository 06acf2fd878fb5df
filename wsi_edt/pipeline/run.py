"""The run: slides are planned ahead, their shards computed side by side, and each is finalised with its last shard.

One thread, this one, decides and writes the stores. Others only wait: for plans (two threads), for workers (Dask), for
results to be written (one thread). What they have to say comes through one queue, as calls that this thread makes.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from wsi_edt.errors import ModelError, OutputError, SlideError, UsageError, WsiEdtError
from wsi_edt.export.atomic import write_atomically
from wsi_edt.export.tables import Status, SummaryRow, write_summary
from wsi_edt.pipeline.cluster import ClusterLostError, PendingShard, ShardPool
from wsi_edt.pipeline.config import RunConfig
from wsi_edt.pipeline.discover import SlideRef
from wsi_edt.pipeline.finalise import ERROR_LOG, finalise, finished_row, remove_results
from wsi_edt.pipeline.lock import results_lock
from wsi_edt.pipeline.plan import SlidePlan, plan_slide
from wsi_edt.pipeline.progress import Watcher
from wsi_edt.pipeline.store import STORE_NAME, SlideStore, StoreHeader
from wsi_edt.pipeline.worker import DetectorSpec, ShardTask
from wsi_edt.report.html import write_batch_report
from wsi_edt.slides.grid import Shard

_PLANNERS = 2
_OPEN_SLIDES = 3  # whose shards interleave, so that no worker waits where one slide ends
_FINALISING = 4  # slides that may wait to be written before no further slide is opened
# What ends the run: the next slide would meet it too.
_FATAL = (OutputError, ModelError, UsageError, ClusterLostError)

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
    ModelError, ClusterLostError
        Where no worker can compute. What is stored stays, and the same call continues.
    """
    with results_lock(out):
        _refuse_other_settings(slides, out, config)
        finished = {slide.name: row for slide in slides if (row := _finished(slide, out, config)) is not None}
        watcher.begun(slides=len(slides), finished=len(finished))
        to_do = [slide for slide in slides if slide.name not in finished]
        with ExitStack() as stack:
            work = _Work(to_do, out, config=config, open_pool=lambda path: stack.enter_context(open_pool(path)), watcher=watcher)
            rows = {**finished, **work.done()}
        result = RunResult(tuple(rows[slide.name] for slide in slides))
        write_summary(out / "summary.csv", result.rows)
        write_batch_report(out / "report.html", result.rows, model=config.cells.model)
        return result


def _refuse_other_settings(slides: Sequence[SlideRef], out: Path, config: RunConfig) -> None:
    """OutputError where one of the slides has results of other settings, before anything is computed."""
    if config.overwrite:
        return
    for slide in slides:
        stored = SlideStore.read_header(out / slide.name / STORE_NAME)
        if stored is None:
            continue
        differences = [config.cells.differences(stored.cells)] if stored.cells_hash != config.cells.cells_hash() else []
        if not stored.mpp_stated and config.mpp is not None and config.mpp != stored.slide_mpp:
            differences.append(f"µm/px {stored.slide_mpp:g} there, {config.mpp:g} now (--mpp)")
        if differences:
            raise OutputError(
                f"{out / slide.name} has results of other settings: {'; '.join(differences)}. "
                "Give the earlier settings, another --out, or --overwrite to replace them"
            )


def _finished(slide: SlideRef, out: Path, config: RunConfig) -> SummaryRow | None:
    """The row of a slide that needs nothing more: finished, with these settings, from this file."""
    folder = out / slide.name
    stored = _header(folder / STORE_NAME, config)
    if stored is None or stored.cells_hash != config.cells.cells_hash():
        return None
    if not stored.mpp_stated and config.mpp != stored.slide_mpp:
        return None
    try:
        unchanged = stored.fingerprint == fingerprint(slide.path)
    except SlideError:
        unchanged = False
    return finished_row(folder, config) if unchanged else None


def _header(path: Path, config: RunConfig) -> StoreHeader | None:
    """What a store belongs to; with --overwrite, a store of another version counts as none."""
    try:
        return SlideStore.read_header(path)
    except OutputError:
        if config.overwrite:
            return None
        raise


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A plan with the store that it continues: the tiles and shards that are missing there."""

    plan: SlidePlan
    store: SlideStore
    missing: tuple[Shard, ...]


@dataclass(slots=True, eq=False)
class _OpenSlide:
    """A slide in work: shards to submit, and shards that a worker has."""

    prepared: _Prepared
    waiting: deque[Shard]
    flying: dict[int, PendingShard] = field(default_factory=dict)
    failed: bool = False

    @property
    def ref(self) -> SlideRef:
        return self.prepared.plan.ref


def prepare(ref: SlideRef, config: RunConfig, folder: Path) -> _Prepared:
    """Plan a slide and open its store, or make it.

    Raises
    ------
    SlideError
        Where the slide can't be scored, or isn't the one that its store was begun with.
    OutputError
        Where the store can't be made.
    """
    plan = plan_slide(ref, config)
    path = folder / STORE_NAME
    stored = _header(path, config)
    if stored == plan.header:
        store = SlideStore(path, plan.header)
    elif stored is None or config.overwrite:
        remove_results(folder)
        store = SlideStore.create(path, plan.header)
    else:
        raise SlideError(
            f"{ref.path} is not the file that its results in {folder} were begun with; "
            "pass --overwrite to replace them, or choose another --out"
        )
    done = store.done_shards([shard.index for shard in plan.shards])
    return _Prepared(plan, store, tuple(shard for shard in plan.shards if shard.index not in done))
