"""What computes shards, as the schedule sees it, and such a pool of Dask workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Protocol
from uuid import uuid4

from dask.typing import Key
from distributed import Client, Future, Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import KilledWorker

import wsi_edt
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.errors import UsageError
from wsi_edt.foreign import translated

_COUNT_WORKERS_EVERY = 5.0  # seconds
_RESTART_SECONDS = 60.0
_KEY = "wsi-edt-shard"


class PendingShard(Protocol):
    """A shard that a pool computes."""

    def result(self) -> ShardResult:
        """The shard's peaks; raises what its computation raised."""

    def cancel(self) -> object:
        """Forget the shard; its `done` is called all the same."""

    def abandon(self) -> object:
        """Forget the shard and end the process that computes it, with whatever else that process computes."""


class ShardPool(Protocol):
    """Something that computes shards."""

    @property
    def slots(self) -> int:
        """How many shards it takes at a time; 0 without workers, when it keeps what is submitted for the next."""

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        """Compute a shard, once; `done` is called once, in any thread, when `result` no longer waits."""


class DaskPool:
    """A `ShardPool` of Dask workers, which may come and go.

    Parameters
    ----------
    client : connected to their scheduler
    compute : what a worker does with a task

    Raises
    ------
    UsageError
        If the scheduler can't import this package.
    """

    def __init__(self, client: Client, compute: Callable[[ShardTask], ShardResult]) -> None:
        try:
            client.register_plugin(_ReportsFirstDeath())
        except Exception as error:  # whatever it raises if the scheduler has other packages
            raise UsageError(
                f"the Dask scheduler can't run wsi-edt {wsi_edt.__version__} ({type(error).__name__}: {error})",
                remedy="install the same version there",
            ) from error
        self._client = client
        self._compute = compute
        self._slots = 0
        self._counted = -_COUNT_WORKERS_EVERY

    @property
    def slots(self) -> int:
        """A shard for each thread that there is now, and one waiting at each worker, so that none waits for the client."""
        now = time.monotonic()
        if now - self._counted >= _COUNT_WORKERS_EVERY:
            self._counted = now
            threads: Mapping[str, int] = self._client.nthreads()  # type: ignore[no-untyped-call]
            self._slots = sum(threads.values()) + len(threads)
        return self._slots

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        """Compute a shard on one of the workers."""
        # A key of its own: what a scheduler remembers of an earlier run or try isn't a result of this one.
        future = self._client.submit(self._compute, task, key=f"{_KEY}-{uuid4()}")
        future.add_done_callback(lambda _: done())  # type: ignore[no-untyped-call]
        return DaskShard(future, self._client)


class DaskShard:
    """A `PendingShard` of Dask."""

    def __init__(self, future: Future[ShardResult], client: Client) -> None:
        self._future = future
        self._client = client

    def result(self) -> ShardResult:
        """The shard's peaks; raises what its computation raised.

        Raises
        ------
        SlideError
            If a worker died that had the shard.
        ClusterLostError
            If the scheduler is gone.
        """
        try:
            result: ShardResult = self._future.result()
        except (KilledWorker, CancelledError) as error:  # a dead worker; Dask cancels when its scheduler goes
            raise translated(error) from error
        return result

    def cancel(self) -> None:
        """Forget the shard."""
        self._future.cancel()  # type: ignore[no-untyped-call]

    def abandon(self) -> None:
        """Forget the shard and start its worker again: a thread that hangs can't be stopped otherwise.

        A worker without a nanny can't be started again, and is sent away.
        """
        processing: Mapping[str, Sequence[Key]] = self._client.processing()  # type: ignore[no-untyped-call]
        places = [place for place, keys in processing.items() if self._future.key in keys]
        self.cancel()
        if not places:
            return
        try:
            self._client.restart_workers(places, timeout=_RESTART_SECONDS, raise_for_error=False)
        except ValueError:
            self._client.retire_workers(places, close_workers=True)


class _ReportsFirstDeath(SchedulerPlugin):
    """Makes the scheduler report a shard when a worker that had it dies; the schedule counts and tries again.

    Dask would count by itself, but blames every task that a dying worker had, and on a running cluster the number of
    deaths that it forgives is that cluster's.
    """

    name = "wsi-edt-reports-first-death"
    idempotent = True

    async def start(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def transition(self, key: Key, start: str, finish: str, *arguments: object, **options: object) -> None:
        if finish == "processing" and str(key).startswith(_KEY):
            self._scheduler.tasks[key].suspicious = self._scheduler.allowed_failures
