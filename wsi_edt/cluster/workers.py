"""Where shards are computed: Dask workers of this machine, or of a scheduler that is running already."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import dask
from distributed import Client, Nanny, Scheduler, SpecCluster, Worker, WorkerPlugin
from distributed.versions import VersionMismatchWarning

import wsi_edt
from wsi_edt.cluster import shared_paths, versions
from wsi_edt.cluster.devices import pinned_environments
from wsi_edt.cluster.pool import DaskPool, ShardPool
from wsi_edt.cluster.worker import (
    DetectorSpec,
    Hardware,
    hardware,
    prepare_worker,
)
from wsi_edt.errors import SlideError, UsageError, WsiEdtError
from wsi_edt.slides.location import SlidePath

# A worker without wsi-edt, or with another, couldn't import the question after its version.
cloudpickle.register_pickle_by_value(versions)

# Of one worker's network, unless asked otherwise. It is the same on every machine and for any number of workers, since
# sums that are split among another number of threads round differently: cells would change with the machine's cores.
THREADS = 2

# Beside a GPU a process reads with as many threads as it has cores, here four, and a tile of 1024 px takes 80 to 100 ms of
# a core and a tenth of that with Python's lock. So four cores give some 40 tiles a second and take less than half of their
# process' lock, while sixteen would be too many for one: each GPU has as many processes as its share of the cores has
# fours (workflows/benchmarks/feeding.py). None should need more than 7 GiB of it, M_HRNet-w48's with the usual batches.
_CORES_PER_GPU_PROCESS = 4
_MOST_PER_GPU = 4
_GPU_BYTES_PER_PROCESS = 10 << 30

_SHARDS_EACH = 2
_MOST_SHARDS_EACH = 4  # beside a GPU
_CORES_PER_SHARD = 2  # its reading threads
_CONNECT_SECONDS = 5
_SETTINGS = {
    # What shards return is small, and a worker's memory is the network's: Dask's limits would only pause or kill.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": f"{_CONNECT_SECONDS}s",
}
_SPAWNED_WITH = "distributed.nanny.pre-spawn-environ"
_LOCAL_SETTINGS = _SETTINGS | {
    # Dask has the C library give each freed array's memory back at once: of the 128 ms that a tile took to read, 30 went
    # into getting it again (13,000 page faults a tile, 1,900 without).
    _SPAWNED_WITH: {
        name: value
        for name, value in dask.config.get(_SPAWNED_WITH).items()
        if name != "MALLOC_TRIM_THRESHOLD_"
    },
    # A worker that died is started again, which takes its time on a busy machine: after Dask's 15 s it would be given up.
    "distributed.deploy.lost-worker-timeout": "1h",
}


class Workers:
    """Dask workers: what they are, and a pool of them.

    Parameters
    ----------
    client : connected to their scheduler
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def hardware(self, device: str, runtime: str, precision: str) -> tuple[Hardware, ...]:
        """What each worker makes of "auto": on a cluster it is the workers' machines that count, not the client's."""
        answers: Mapping[str, Hardware] = _ask(self._client, hardware, device, runtime, precision)
        return tuple(answers.values())

    def refuse_other_versions(self) -> None:
        """UsageError unless all have this process's versions of what changes cells."""
        answers = _ask(self._client, versions.host_and_versions)
        refusal = versions.refusal(tuple(answers.values()), versions.installed_versions())
        if refusal is not None:
            raise UsageError(refusal)

    def pool(self, spec: DetectorSpec, slides: Sequence[SlidePath]) -> ShardPool:
        """The workers, each with its network built.

        Parameters
        ----------
        slides : that every worker must be able to see

        Raises
        ------
        WsiEdtError
            Where one of them has another version, lacks the model, can't do what was resolved, or doesn't see a slide.
        """
        for block in shared_paths.blocks(slides):
            sights = _ask(self._client, shared_paths.look_for, block)
            if (refusal := shared_paths.refusal(sights.values())) is not None:
                raise SlideError(refusal)
        if urls := shared_paths.one_url_per_place(slides):
            sights = _ask(self._client, shared_paths.look_at, urls)
            if (refusal := shared_paths.refusal(sights.values())) is not None:
                raise SlideError(refusal)
        answers = _ask(self._client, prepare_worker, spec)
        for answer in answers.values():
            if answer is not None:
                raise answer
        return DaskPool(self._client)


@contextmanager
def local_workers(count: int, *, gpus: Sequence[int] = (), threads: int = 1) -> Iterator[Workers]:
    """Give that many worker processes on this machine.

    Parameters
    ----------
    gpus : numbers of the GPUs that they take in turn, each worker seeing its own alone; none to leave them as they are
    threads : of each, which is how many shards it computes at a time

    Raises
    ------
    UsageError
        Where the count is below 1.
    """
    if count < 1:
        raise UsageError(f"--workers {count} is too small; give at least 1")
    _quieten()
    with _quiet_tracker(), dask.config.set(_LOCAL_SETTINGS):
        with _interrupts_held_back():
            cluster = SpecCluster(  # type: ignore[no-untyped-call]
                workers=_places(count, pinned_environments(gpus, os.environ), threads),
                scheduler={
                    "cls": Scheduler,
                    "options": {
                        "host": "127.0.0.1",
                        "port": 0,
                        "dashboard": False,
                        "dashboard_address": "127.0.0.1:0",  # any free port: two runs may be on one machine
                    },
                },
                silence_logs=logging.CRITICAL,
            )
        with cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]
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
            with warnings.catch_warnings():  # versions are compared below, in one sentence
                warnings.simplefilter("ignore", VersionMismatchWarning)
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
                    f"the scheduler at {address} has no workers; start some with `dask worker {address} --nthreads 2`"
                ) from error
            workers = Workers(client)
            workers.refuse_other_versions()
            yield workers


def local_worker_count(machine: Hardware, threads: int | None) -> int:
    """How many worker processes this machine is shared out to.

    On a CPU its cores by the threads of each one's network; where GPUs do the work as many to each of them as its memory
    and its share of the cores have room for, at most four.
    """
    if machine.device != "cuda":
        return max(1, machine.cores // (threads or THREADS))
    gpus = max(1, machine.gpus)
    by_cores = machine.cores // (gpus * _CORES_PER_GPU_PROCESS)
    by_memory = machine.gpu_bytes // _GPU_BYTES_PER_PROCESS
    return gpus * max(1, min(_MOST_PER_GPU, by_cores, by_memory))


def shards_each(device: str, cores: int) -> int:
    """How many shards a worker with so many cores computes at a time.

    Two, so that where one ends the other goes on: alone, a shard of nine tiles leaves one of the network's two threads
    idle with its last, and both with its first. A GPU would wait for files besides: of more shards, each with its own
    reading threads, one has its tiles ready.
    """
    if device == "cpu":
        return _SHARDS_EACH
    return max(_SHARDS_EACH, min(_MOST_SHARDS_EACH, cores // _CORES_PER_SHARD))


def _places(
    count: int, environments: Sequence[Mapping[str, str]], threads: int
) -> dict[int, dict[str, object]]:
    """Dask's words for that many processes of so many threads, each with its environment, which outlives the process in it.

    The nanny sets it before it makes a worker in the new process, so before anything there asks CUDA for its devices.
    """
    options = {
        "host": "127.0.0.1",
        "nthreads": threads,
        "memory_limit": 0,
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
    }
    return {
        place: {
            "cls": Nanny,
            "options": options | ({"env": environments[place % len(environments)]} if environments else {}),
        }
        for place in range(count)
    }


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Block SIGINT here, and for good in every thread and process that begins meanwhile.

    A terminal sends Ctrl-C to all processes, and it is the client's: a worker must not die of it, not even while it
    starts, before any plugin is there, or when it is started again later from one of those threads.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _IgnoresInterrupts(WorkerPlugin):
    """The same for where signals can't be blocked; the client stops the workers."""

    def setup(self, worker: Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


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
        # Now, because its start unblocks SIGINT in the thread that starts it, which would be a worker's.
        resource_tracker.ensure_running()
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
