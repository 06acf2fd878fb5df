"""What computes shards, as the schedule sees it, and such a pool of Dask workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from typing import Protocol
from uuid import uuid4

from dask.typing import Key
from distributed import Client, Future, Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import KilledWorker

import wsi_edt
from wsi_edt.cluster.worker import ShardResult, ShardTask, compute_shard
from wsi_edt.errors import ClusterLostError, SlideError, UsageError

_COUNT_WORKERS_EVERY = 5.0  # seconds
_KEY = "wsi-edt-shard"


class PendingShard(Protocol):
    """A shard that a pool computes."""

    def result(self) -> ShardResult:
        """Return the shard's peaks, or raise what its computation raised."""

    def cancel(self) -> None:
        """Forget the shard; its `done` is called all the same."""


class ShardPool(Protocol):
    """Something that computes shards."""

    @property
    def slots(self) -> int:
        """How many shards it takes at a time; 0 while there is no worker, when it keeps what is submitted for the next."""

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        """Compute a shard, once; `done` is called once, in any thread, when `result` doesn't wait any more."""


class DaskPool:
    """A `ShardPool` of Dask workers, which may come and go.

    Parameters
    ----------
    client : connected to their scheduler

    Raises
    ------
    UsageError
        Where the scheduler can't import this package.
    """

    def __init__(self, client: Client) -> None:
        try:
            client.register_plugin(_FirstDeathIsTold())
        except Exception as error:  # whatever it raises where the scheduler's environment is another
            raise UsageError(
                f"the Dask scheduler can't run wsi-edt {wsi_edt.__version__} ({type(error).__name__}: {error}); "
                "install the same version there"
            ) from error
        self._client = client
        self._slots = 0
        self._counted = -_COUNT_WORKERS_EVERY

    @property
    def slots(self) -> int:
        """A shard for each thread that there is now, and one that waits at each worker: none waits for the client."""
        now = time.monotonic()
        if now - self._counted >= _COUNT_WORKERS_EVERY:
            self._counted = now
            threads: Mapping[str, int] = self._client.nthreads()  # type: ignore[no-untyped-call]
            self._slots = sum(threads.values()) + len(threads)
        return self._slots

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        """Compute a shard on one of the workers."""
        # A key of its own: what a scheduler remembers of an earlier run or try is no result of this one.
        future = self._client.submit(compute_shard, task, key=f"{_KEY}-{uuid4()}")
        future.add_done_callback(lambda _: done())  # type: ignore[no-untyped-call]
        return DaskShard(future, task)


class DaskShard:
    """A `PendingShard` of Dask, whose errors it puts into a user's words."""

    def __init__(self, future: Future[ShardResult], task: ShardTask) -> None:
        self._future = future
        self._task = task

    def result(self) -> ShardResult:
        """Return the shard's peaks, or raise what its computation raised.

        Raises
        ------
        SlideError
            Where a worker died that had the shard.
        ClusterLostError
            Where the scheduler is gone.
        """
        try:
            result: ShardResult = self._future.result()
        except KilledWorker as error:
            raise SlideError(
                f"the worker that had shard {self._task.shard.index} of {self._task.path} died "
                "(out of memory? killed?); give a smaller --tile-px, or fewer workers"
            ) from error
        except CancelledError as error:
            raise ClusterLostError(
                "the connection to the Dask scheduler was lost; give the same command again: it continues"
            ) from error
        return result

    def cancel(self) -> None:
        """Forget the shard."""
        self._future.cancel()  # type: ignore[no-untyped-call]


class _FirstDeathIsTold(SchedulerPlugin):
    """Has the scheduler give a shard back when a worker dies that had it; the schedule counts and tries again.

    Dask would count by itself, but blames every task that a dying worker had, and on a running cluster the number of
    deaths that it forgives is that cluster's.
    """

    name = "wsi-edt-first-death-is-told"
    idempotent = True

    async def start(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def transition(self, key: Key, start: str, finish: str, *arguments: object, **options: object) -> None:
        if finish == "processing" and str(key).startswith(_KEY):
            self._scheduler.tasks[key].suspicious = self._scheduler.allowed_failures
