"""Where shards are computed: Dask workers of this machine, or of a scheduler that is running already."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import dask
from distributed import Client, Future, LocalCluster, Worker, WorkerPlugin
from distributed.scheduler import KilledWorker

import wsi_edt
from wsi_edt.errors import SlideError, UsageError, WsiEdtError
from wsi_edt.pipeline.worker import (
    DetectorSpec,
    Hardware,
    ShardResult,
    ShardTask,
    compute_shard,
    hardware,
    prepare_worker,
)

# Of one worker's network, unless asked otherwise. It is the same on every machine and for any number of workers, since
# sums that are split among another number of threads round differently: cells would change with the machine's cores.
THREADS = 2

_CONNECT_SECONDS = 5
_SHARDS_PER_THREAD = 2  # one computed, one waiting: a worker never waits for the client
_COUNT_WORKERS_EVERY = 5.0  # seconds
_SETTINGS = {
    # What shards return is small, and a worker's memory is the network's: Dask's limits would only pause or kill.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": f"{_CONNECT_SECONDS}s",
    # A shard whose worker died is tried once more elsewhere; then its slide fails.
    "distributed.scheduler.allowed-failures": 1,
}


class ClusterLostError(WsiEdtError):
    """The scheduler went away: the run stops, what is stored stays."""


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
        """How many shards it takes at a time."""

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        """Compute a shard; `done` is called once, in any thread, when `result` doesn't wait any more."""


class Workers:
    """Dask workers: what they are, and a pool of them.

    Parameters
    ----------
    client : connected to their scheduler
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def hardware(self, device: str, precision: str) -> tuple[Hardware, ...]:
        """What each worker makes of "auto": on a cluster it is the workers' machines that count, not the client's."""
        answers: Mapping[str, Hardware] = _ask(self._client, hardware, device, precision)
        return tuple(answers.values())

    def pool(self, spec: DetectorSpec, probe: Path) -> ShardPool:
        """The workers, each with its network built.

        Parameters
        ----------
        probe : a slide that every worker must be able to see

        Raises
        ------
        WsiEdtError
            Where one of them has another version, lacks the model, can't do what was resolved, or doesn't see the slide.
        """
        answers = _ask(self._client, prepare_worker, spec, wsi_edt.__version__, probe)
        for answer in answers.values():
            if answer is not None:
                raise answer
        return _DaskPool(self._client)


@contextmanager
def local_workers(count: int) -> Iterator[Workers]:
    """Give that many worker processes on this machine.

    Raises
    ------
    UsageError
        Where the count is below 1.
    """
    if count < 1:
        raise UsageError(f"--workers {count} is too small; give at least 1")
    _quieten()
    with (
        _quiet_tracker(),
        dask.config.set(_SETTINGS),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address=None,
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        client.register_plugin(_IgnoresInterrupts())
        yield Workers(client)


@contextmanager
def connected_workers(address: str) -> Iterator[Workers]:
    """Give the workers of a running scheduler, for example tcp://10.0.0.1:8786.

    Raises
    ------
    UsageError
        Where no scheduler answers there within seconds, or one without workers.
    """
    _quieten()
    with dask.config.set(_SETTINGS):
        try:
            client = Client(address, timeout=_CONNECT_SECONDS)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise UsageError(
                f"no Dask scheduler answers at {address}; check the address, or start one with `dask scheduler`"
            ) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
            except TimeoutError as error:
                raise UsageError(
                    f"the scheduler at {address} has no workers; start some with `dask worker {address} --nthreads 1`"
                ) from error
            yield Workers(client)


def local_worker_count(machine: Hardware, threads: int | None) -> int:
    """How many worker processes this machine's cores are shared out to; one, where a GPU does the work."""
    return 1 if machine.device == "cuda" else max(1, machine.cores // (threads or THREADS))


class _IgnoresInterrupts(WorkerPlugin):
    """Leaves Ctrl-C, which a terminal sends to all processes, to the client: it stops the workers."""

    def setup(self, worker: Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class _DaskPool:
    """A `ShardPool` of Dask workers, which may come and go."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._slots = 1
        self._counted = -_COUNT_WORKERS_EVERY

    @property
    def slots(self) -> int:
        now = time.monotonic()
        if now - self._counted >= _COUNT_WORKERS_EVERY:
            self._counted = now
            threads: Mapping[str, int] = self._client.nthreads()  # type: ignore[no-untyped-call]
            self._slots = max(1, _SHARDS_PER_THREAD * sum(threads.values()))
        return self._slots

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        # pure=False: what a scheduler remembers of an earlier run is no result of this one.
        future = self._client.submit(compute_shard, task, pure=False)
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
            Where the shard took one worker after another with it.
        ClusterLostError
            Where the scheduler is gone.
        """
        try:
            result: ShardResult = self._future.result()
        except KilledWorker as error:
            raise SlideError(
                f"every worker died that computed shard {self._task.shard.index} of {self._task.path} "
                "(out of memory?); give fewer --workers or a smaller --batch-size"
            ) from error
        except CancelledError as error:
            raise ClusterLostError(
                "the connection to the Dask scheduler was lost; give the same command again: it continues"
            ) from error
        return result

    def cancel(self) -> None:
        """Forget the shard."""
        self._future.cancel()  # type: ignore[no-untyped-call]


def _ask(client: Client, question: Callable[..., object], *arguments: object) -> dict[str, Any]:
    """The answer of every worker.

    Raises
    ------
    WsiEdtError
        What a worker raises, or where a worker can't even be asked.
    """
    try:
        answers: dict[str, Any] = client.run(question, *arguments)
    except WsiEdtError:
        raise
    except Exception as error:  # whatever it raises where the worker's environment is another
        raise UsageError(
            f"a worker can't run wsi-edt {wsi_edt.__version__} ({type(error).__name__}: {error}); "
            "install the same version there"
        ) from error
    return answers


@contextmanager
def _quiet_tracker() -> Iterator[None]:
    """Let Python's resource tracker clean up after a killed run without a word of leaked semaphores in the terminal.

    It is a process of its own, started with the first worker, and takes its filters from the environment.
    """
    before = os.environ.get("PYTHONWARNINGS")
    quiet = "ignore::UserWarning:multiprocessing.resource_tracker"
    os.environ["PYTHONWARNINGS"] = f"{before},{quiet}" if before else quiet
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _quieten() -> None:
    """Keep Dask's log out of the terminal: what matters arrives as an exception."""
    for name in (
        "distributed",
        "distributed.client",
        "distributed.nanny",
        "distributed.core",
        "tornado.application",
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL)
