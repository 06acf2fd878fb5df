"""The schedule: slides are planned ahead, their shards computed side by side, each slide finalised with its last shard.

One thread, the caller's, decides and writes the stores. Others only wait: for plans (two threads), for workers (Dask),
for files to be written (one thread). They report through one queue, as calls that this thread makes.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from wsi_edt.cluster.pool import PendingShard, ShardPool
from wsi_edt.cluster.worker import ShardTask
from wsi_edt.errors import MissingMppError, SlideError
from wsi_edt.report.rows import SummaryRow
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.finalise import finalise
from wsi_edt.run.outcomes import Outcomes, ends_the_run, sentence_on
from wsi_edt.run.plan import Planner, plan_slide
from wsi_edt.run.progress import RunProgress, counted
from wsi_edt.run.resume import Prepared, prepare
from wsi_edt.run.settings import RunSettings
from wsi_edt.run.stop import StopRequest
from wsi_edt.slides.grid import Shard
from wsi_edt.slides.location import SlidePath

T = TypeVar("T")

_PLANNERS = 2
_OPEN_SLIDES = 3  # whose shards interleave, so that no worker waits where one slide ends
_FINALISING = 4  # slides that may wait to be written before no further slide is opened
_TRIES = 3  # of a shard
_SILENCE = 30.0  # seconds without an event before looking whether a worker is left
# Seconds that a shard may take from when it is submitted, and more for each tile of it and of those that its worker has
# besides. The slowest machine so far takes 6 s for a tile of 1024 px; ten of them in turn are less than this for one.
_SHARD_LIMIT_S = 600.0
_SHARD_LIMIT_S_PER_TILE = 60.0


@dataclass(slots=True, eq=False)
class _InFlight:
    """A shard that a worker has, until when it may take, and whether its worker is ended for another's sake."""

    pending: PendingShard
    limit_s: float
    deadline: float
    forgiven: bool = False


@dataclass(slots=True, eq=False)
class _OpenSlide:
    """A slide in work: shards to submit, and shards that a worker has."""

    prepared: Prepared
    waiting: deque[Shard]
    in_flight: dict[int, _InFlight] = field(default_factory=dict)  # by the shard's index
    unstored: int = field(init=False)
    failures: Counter[int] = field(default_factory=Counter)  # by the shard's index
    failed: bool = False

    def __post_init__(self) -> None:
        self.unstored = len(self.waiting)

    @property
    def ref(self) -> SlideRef:
        return self.prepared.plan.ref


class Schedule:
    """The work of one run.

    Parameters
    ----------
    slides : those that aren't finished
    out : the results folder, whose lock the caller holds
    open_pool : opens the pool that computes shards; called at the first shard, with the path of its slide
    outcomes : take the row of each slide that is finished or has failed
    stop : when it is asked for, nothing more is begun; slides that aren't finished then get no row
    plan_slide : plans each slide, by any of two threads
    refuse_if_lost : raises if the results folder's lock isn't held any more; called before anything is written
    """

    def __init__(
        self,
        slides: Sequence[SlideRef],
        out: Path,
        *,
        settings: RunSettings,
        open_pool: Callable[[SlidePath], ShardPool],
        progress: RunProgress,
        outcomes: Outcomes,
        stop: StopRequest,
        plan_slide: Planner = plan_slide,
        refuse_if_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._waiting = deque(slides)
        self._out = out
        self._settings = settings
        self._open_pool = open_pool
        self._pool: ShardPool | None = None
        self._progress = progress
        self._refuse_if_lost = refuse_if_lost
        self._prepare = partial(prepare, settings=settings, plan_slide=plan_slide)
        self._events: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._planner = ThreadPoolExecutor(_PLANNERS, thread_name_prefix="plan")
        self._finaliser = ThreadPoolExecutor(1, thread_name_prefix="finalise")
        self._planning = self._finalising = self._in_flight = 0
        self._open: deque[_OpenSlide] = deque()  # with shards to submit or to wait for, in turn
        self._given_up: list[_OpenSlide] = []  # with shards that a worker may still have
        self._last_tries: deque[tuple[_OpenSlide, Shard]] = deque()  # the first of them may be in flight
        self._deserted = False  # as was reported
        self._outcomes = outcomes
        self._stop = stop
        stop.wakes(partial(self._events.put, self._on_stop))

    def work(self) -> None:
        """Do the work.

        Raises
        ------
        OutputError, ModelError, UsageError, ClusterLostError
            What would end every other slide too, or if no pool can be opened.
        """
        try:
            self._feed()
            while self._busy:
                try:
                    event = self._events.get(timeout=_SILENCE)
                except Empty:
                    event = self._on_silence
                self._refuse_if_lost()
                event()
                self._end_overdue()
                self._feed()
        finally:
            # Nothing may write once the lock is gone: wait for what has begun, drop the rest.
            for slide in self._open:
                _cancel(slide)
            self._planner.shutdown(wait=True, cancel_futures=True)
            self._finaliser.shutdown(wait=True, cancel_futures=True)

    @property
    def _busy(self) -> bool:
        if self._planning or self._finalising or (self._open and not self._stop.asked):
            return True
        return self._in_flight > 0 and not (self._stop.asked and self._has_no_worker)

    @property
    def _has_no_worker(self) -> bool:
        return self._pool is not None and self._pool.slots == 0

    def _feed(self) -> None:
        """Plan and submit as much as there is room for."""
        if self._stop.asked:
            return
        slots = self._slots
        while self._waiting and self._room_to_plan(slots):
            ref = self._waiting.popleft()
            self._planning += 1
            planned = self._planner.submit(self._prepare, ref, folder=self._out / ref.name)
            planned.add_done_callback(partial(self._tell, self._on_planned, ref))
        if self._pool is None and self._open:
            self._pool = self._open_pool(self._open[0].ref.source.path)
            slots = self._slots
        while not self._stop.asked and (ready := self._next_shard(slots)) is not None:
            self._do(ready[0].ref, partial(self._submit, *ready))

    @property
    def _slots(self) -> int:
        """How many shards may be in flight: one even without workers, for the first that comes."""
        return max(1, self._pool.slots) if self._pool else 1

    def _room_to_plan(self, slots: int) -> bool:
        if self._planning >= _PLANNERS or self._finalising >= _FINALISING:
            return False
        waiting = sum(len(slide.waiting) for slide in self._open)
        return len(self._open) + self._planning < _OPEN_SLIDES or waiting < slots

    def _next_shard(self, slots: int) -> tuple[_OpenSlide, Shard] | None:
        """The next shard in turn, where there is one and room for it.

        A shard's last try is made with nothing else in flight: what dies with a worker may be another shard's doing.
        """
        if self._last_tries:
            return None if self._in_flight else self._last_tries[0]
        if self._in_flight >= slots:
            return None
        for _ in range(len(self._open)):
            self._open.rotate(-1)
            if (slide := self._open[-1]).waiting:
                return slide, slide.waiting.popleft()
        return None

    def _submit(self, slide: _OpenSlide, shard: Shard) -> None:
        assert self._pool is not None
        task = ShardTask(
            source=slide.ref.source,
            fingerprint=slide.prepared.plan.header.fingerprint,
            shard=shard,
            model_mpp=self._settings.cells.model_mpp,
            batch_size=self._settings.cells.batch_size,
            detector=self._settings.detector,
            maps=slide.prepared.maps,
        )
        done = partial(self._put, slide.ref, partial(self._on_computed, slide, shard))
        limit_s = _SHARD_LIMIT_S + _SHARD_LIMIT_S_PER_TILE * len(shard.tiles)
        pending = self._pool.submit(task, done)
        slide.in_flight[shard.index] = _InFlight(pending, limit_s, time.monotonic() + limit_s)
        self._in_flight += 1

    def _tell(self, handler: Callable[[SlideRef, Future[T]], None], ref: SlideRef, future: Future[T]) -> None:
        self._put(ref, partial(handler, ref, future))

    def _put(self, ref: SlideRef, step: Callable[[], None]) -> None:
        self._events.put(partial(self._do, ref, step))

    def _do(self, ref: SlideRef, step: Callable[[], None]) -> None:
        """Do a step of a slide's work. Whatever it raises, that slide has failed, and the others go on."""
        try:
            step()
        except Exception as error:
            if ends_the_run(error):
                raise
            self._give_up(ref, error)

    def _on_planned(self, ref: SlideRef, planned: Future[Prepared]) -> None:
        self._planning -= 1
        if self._stop.asked:
            return
        prepared = planned.result()
        tiles = sum(len(shard.tiles) for shard in prepared.plan.shards)
        missing = sum(len(shard.tiles) for shard in prepared.missing)
        self._progress.planned(ref.name, tiles=tiles, tiles_stored=tiles - missing)
        slide = _OpenSlide(prepared, deque(prepared.missing))
        if slide.unstored:
            self._open.append(slide)
        else:
            self._finalise(slide)

    def _on_computed(self, slide: _OpenSlide, shard: Shard) -> None:
        self._in_flight -= 1
        flight = slide.in_flight.pop(shard.index)
        if self._last_tries and self._last_tries[0] == (slide, shard):
            self._last_tries.popleft()
        if slide.failed:
            return
        try:
            result = flight.pending.result()
            slide.prepared.store.write_shard(shard, result.peaks, seconds=result.seconds)
        except Exception as error:
            if ends_the_run(error):
                raise
            if flight.forgiven:
                slide.waiting.appendleft(shard)
            else:
                self._on_failed_try(slide, shard, error)
            return
        self._deserted = False
        self._progress.stored(slide.ref.name, tiles=len(shard.tiles), cells=len(result.peaks))
        slide.unstored -= 1
        if not slide.unstored:
            self._open.remove(slide)
            self._finalise(slide)

    def _on_failed_try(self, slide: _OpenSlide, shard: Shard, error: Exception) -> None:
        """Try a shard again, or give up its slide."""
        slide.failures[shard.index] += 1
        left = _TRIES - slide.failures[shard.index]
        if left == 0 or isinstance(error, MissingMppError):  # which no further try would change
            self._give_up(slide.ref, error, tries=slide.failures[shard.index])
            return
        # At once, before its slide's other shards: if they all fail, three tries are enough to know.
        if left == 1:
            self._last_tries.append((slide, shard))
        else:
            slide.waiting.appendleft(shard)
        self._progress.note(
            f"{slide.ref.name}: shard {shard.index} is tried again: {sentence_on(slide.ref, error, with_remedy=False)}"
        )

    def _give_up(self, ref: SlideRef, error: Exception, *, tries: int = 1) -> None:
        """Fail a slide. Its shards in flight stay there, and count: a pool can't take them from a worker."""
        for slide in [one for one in self._open if one.ref is ref]:
            slide.failed = True
            slide.waiting.clear()
            self._last_tries = deque(ready for ready in self._last_tries if ready[0] is not slide)
            self._open.remove(slide)
            self._given_up.append(slide)
        self._outcomes.failed(ref, error, tries=tries)

    def _end_overdue(self) -> None:
        """Give up the slides of shards that take too long, and end the workers that have them.

        What else such a worker has is computed again, and loses no try.
        """
        now = time.monotonic()
        self._given_up = [slide for slide in self._given_up if slide.in_flight]
        flying = [
            (slide, index, flight)
            for slide in (*self._open, *self._given_up)
            for index, flight in slide.in_flight.items()
        ]
        if self._has_no_worker:  # they wait for one, however long
            for _, _, flight in flying:
                flight.deadline = now + flight.limit_s
        overdue = [one for one in flying if one[2].deadline < now]
        if not overdue:
            return
        for _, _, flight in flying:
            if flight.deadline >= now:
                flight.forgiven = True
                flight.deadline = max(flight.deadline, now + flight.limit_s)
        for slide, index, flight in overdue:
            flight.deadline = math.inf  # it is ended once
            if not slide.failed:
                self._give_up(slide.ref, _overdue(slide.ref, index, flight.limit_s))
            self._end_worker(slide, flight.pending)

    def _end_worker(self, slide: _OpenSlide, pending: PendingShard) -> None:
        """End the worker that has a shard, or at least wait for it no longer."""
        try:
            pending.abandon()
        except Exception as error:
            if ends_the_run(error):
                raise
            pending.cancel()
            why = sentence_on(slide.ref, error, with_remedy=False)
            self._progress.note(f"{slide.ref.name}: the worker that it holds up can't be ended ({why})")

    def _on_silence(self) -> None:
        """Report, once until a shard is stored again, that all workers are gone; a cluster may have new ones queued."""
        deserted = self._has_no_worker
        if deserted and not self._deserted:
            shards = counted(self._in_flight, "shard")
            self._progress.note(
                f"no Dask worker is left, and {shards} in flight. Start workers, and the run goes on; or stop it with "
                "Ctrl-C, and the same command continues later"
            )
        self._deserted = deserted

    def _on_stop(self) -> None:
        if self._has_no_worker:
            return
        shards = counted(self._in_flight, "shard")
        self._progress.note(f"stopping once the {shards} in flight are stored")

    def _finalise(self, slide: _OpenSlide) -> None:
        self._finalising += 1
        plan, store = slide.prepared.plan, slide.prepared.store
        written = self._finaliser.submit(finalise, plan, store, self._out / slide.ref.name, self._settings)
        written.add_done_callback(partial(self._tell, self._on_finalised, slide.ref))

    def _on_finalised(self, ref: SlideRef, written: Future[SummaryRow]) -> None:
        self._finalising -= 1
        self._outcomes.ended(ref, written.result())


def _overdue(ref: SlideRef, index: int, limit_s: float) -> SlideError:
    return SlideError(
        f"can't be read within {limit_s:.0f} s in its shard {index}",
        where=ref.source,
        remedy="the file is damaged, or its disk or the network stands still: copy or export it again",
    )


def _cancel(slide: _OpenSlide) -> None:
    for flight in slide.in_flight.values():
        flight.pending.cancel()
    slide.waiting.clear()
