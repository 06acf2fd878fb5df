"""Where shards are computed: Dask workers of this machine, or of a scheduler that is running already."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import dask
from dask.system import CPU_COUNT
from distributed import Client, Future, LocalCluster
from distributed.scheduler import KilledWorker

import wsi_edt
from wsi_edt.errors import SlideError, UsageError, WsiEdtError
from wsi_edt.pipeline.worker import DetectorSpec, ShardResult, ShardTask, compute_shard, prepare_worker

_CONNECT_SECONDS = 10
_SHARDS_PER_THREAD = 2  # one computed, one waiting: a worker never waits for the client
_SETTINGS = {
    # What shards return is small, and a worker's memory is the network's: Dask's limits would only pause or kill.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": f"{_CONNECT_SECONDS}s",
    "distributed.admin.large-graph-warning-threshold": "1GB",
    # A shard whose worker died is tried once more elsewhere; then its slide fails.
    "distributed.scheduler.allowed-failures": 1,
}


class ClusterLostError(WsiEdtError):
    """The scheduler or all of its workers went away: the run stops, what is stored stays."""


class ShardPool(Protocol):
    """Something that computes shards."""

    @property
    def slots(self) -> int:
        """How many shards it takes at a time."""

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        """Compute a shard; `done` is called, in any thread, once `result` gives or raises at once."""


class PendingShard(Protocol):
    """A shard that a pool computes."""

    def result(self) -> ShardResult:
        """Return the shard's peaks, or raise what its computation raised."""

    def cancel(self) -> None:
        """Forget the shard; `done` may still be called."""


def core_count() -> int:
    """The processor cores that this process may use."""
    return int(CPU_COUNT)


@contextmanager
def local_pool(spec: DetectorSpec, *, workers: int, probe: Path) -> Iterator[ShardPool]:
    """Give a pool of that many worker processes on this machine, ready to compute.

    Parameters
    ----------
    probe : a slide that the workers must be able to see

    Raises
    ------
    ModelError
        Where a worker can't build the detector.
    """
    if workers < 1:
        raise UsageError(f"--workers {workers} is too small; give at least 1")
    _quieten()
    with (
        dask.config.set(_SETTINGS),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address=None,
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        _prepare(client, spec, probe)
        yield DaskPool(client)


@contextmanager
def connected_pool(spec: DetectorSpec, *, address: str, probe: Path) -> Iterator[ShardPool]:
    """Give a pool of the workers of a running scheduler, for example tcp://10.0.0.1:8786.

    Raises
    ------
    UsageError
        Where no scheduler answers there within seconds, or one without workers.
    WsiEdtError
        Where a worker has another version, lacks the model or doesn't see the slides.
    """
    _quieten()
    with dask.config.set(_SETTINGS):
        try:
            client = Client(address, timeout=_CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"no Dask scheduler answers at {address} ({error}); start one with `dask scheduler`"
            ) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
            except TimeoutError as error:
                raise UsageError(
                    f"the scheduler at {address} has no workers; start some with `dask worker {address} --nthreads 1`"
                ) from error
            _prepare(client, spec, probe)
            yield DaskPool(client)


class DaskPool:
    """A pool of Dask workers."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def slots(self) -> int:
        """Two shards per worker thread; workers may come and go."""
        threads: Mapping[str, int] = self._client.nthreads()
        return max(1, _SHARDS_PER_THREAD * sum(threads.values()))

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        """Compute a shard on some worker."""
        # pure=False: a result that a scheduler remembers from an earlier run is no result of this one.
        future = self._client.submit(compute_shard, task, pure=False)
        future.add_done_callback(lambda _: done())
        return _DaskShard(future, task)


class _DaskShard:
    def __init__(self, future: Future, task: ShardTask) -> None:
        self._future = future
        self._task = task

    def result(self) -> ShardResult:
        try:
            result: ShardResult = self._future.result()
        except KilledWorker as error:
            raise SlideError(
                f"two workers died while they computed shard {self._task.shard.index} of {self._task.path.name} "
                "(out of memory?); give fewer --workers or a smaller --batch-size"
            ) from error
        except CancelledError as error:
            raise ClusterLostError(
                "the connection to the Dask scheduler was lost; give the same command again: it continues"
            ) from error
        return result

    def cancel(self) -> None:
        self._future.cancel()


def _prepare(client: Client, spec: DetectorSpec, probe: Path) -> None:
    """Have every worker build its detector.

    Raises
    ------
    WsiEdtError
        What speaks against one of the workers.
    """
    try:
        answers = client.run(prepare_worker, spec, wsi_edt.__version__, probe)
    except WsiEdtError:
        raise
    except Exception as error:  # whatever unpickling raises where the worker's environment is another
        raise UsageError(
            f"a worker can't run wsi-edt {wsi_edt.__version__} ({type(error).__name__}: {error}); "
            "install the same version there"
        ) from error
    for answer in answers.values():
        if answer is not None:
            raise answer


def _quieten() -> None:
    """Keep Dask's log out of the terminal: what matters arrives as an exception."""
    for name in ("distributed", "distributed.client", "distributed.nanny", "distributed.core", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
