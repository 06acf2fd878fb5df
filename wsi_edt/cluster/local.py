"""Dask workers of this machine."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster, Worker, WorkerPlugin

from wsi_edt.cluster.devices import pinned_environments
from wsi_edt.cluster.limits import allow_open_files
from wsi_edt.cluster.machine import Machine
from wsi_edt.cluster.spawning import main_unseen
from wsi_edt.cluster.worker import WorkerTasks
from wsi_edt.cluster.workers import SETTINGS, Workers, quieten
from wsi_edt.detection.compute import Device
from wsi_edt.errors import UsageError

# Beside a GPU a process reads with as many threads as it has cores, here four, and a tile of 1024 px takes 80 to 100 ms of
# a core and a tenth of that with Python's lock. So four cores give some 40 tiles a second and take less than half of their
# process' lock, while sixteen would be too many for one: each GPU has as many processes as its share of the cores has
# fours (workflows/benchmarks/feeding.py). None should need more than 7 GiB of it, M_HRNet-w48's with the usual batches.
_CORES_PER_GPU_PROCESS = 4
_MOST_PER_GPU = 4
_GPU_BYTES_PER_PROCESS = 10 << 30

# A worker with the shipped model held 0.8 GiB on a CPU with two threads, in torch and in OpenVINO; open slides come on top.
BYTES_PER_WORKER = 3 << 29

_SPAWN = get_context("spawn")  # as Dask starts processes

_SHARDS_EACH = 2
_MOST_SHARDS_EACH = 4  # beside a GPU
_CORES_PER_SHARD = 2  # its reading threads
_SPAWNED_WITH = "distributed.nanny.pre-spawn-environ"
_LOCAL_SETTINGS = SETTINGS | {
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


@contextmanager
def local_workers(
    count: int, *, gpus: Sequence[int] = (), threads: int = 1, tasks: WorkerTasks | None = None
) -> Iterator[Workers]:
    """Start that many worker processes on this machine.

    Parameters
    ----------
    gpus : numbers of the GPUs that they take in turn, each worker seeing its own alone; none to leave them as they are
    threads : of each, which is how many shards it computes at a time
    tasks : what they are asked to do

    Raises
    ------
    UsageError
        If the count is below 1.
    """
    if count < 1:
        raise UsageError(f"--workers {count} is too small", remedy="give at least 1")
    refuse_without_semaphores()
    allow_open_files(count)
    quieten()
    with main_unseen(), _quiet_tracker(), dask.config.set(_LOCAL_SETTINGS):
        cluster = _started(_places(count, pinned_environments(gpus, os.environ), threads))
        with cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]
            client.register_plugin(_IgnoresInterrupts())
            yield Workers(client, tasks or WorkerTasks())


def _started(places: dict[int, dict[str, object]]) -> SpecCluster:
    """The workers in those places, and their scheduler.

    Raises
    ------
    UsageError
        If they can't start here.
    """
    try:
        with _interrupts_held_back():
            return SpecCluster(  # type: ignore[no-untyped-call]
                workers=places,
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
    except (RuntimeError, OSError) as error:  # Dask's, for whatever is in the way
        reason = " ".join(str(error).split())
        remedy = (
            "do they have memory, open files (ulimit -n) and processes (ulimit -u), and room in /dev/shm?"
        )
        if "127.0.0.1" in reason:
            remedy = "they talk over 127.0.0.1, which must work: bring the loopback network up"
        raise UsageError(f"worker processes can't start on this machine ({reason})", remedy=remedy) from error


def refuse_without_semaphores() -> None:
    """UsageError if processes can't share semaphores, which Dask starts one with: Linux makes them in /dev/shm."""
    try:
        with _quiet_tracker():
            _SPAWN.Semaphore()
    except (OSError, ImportError) as error:  # ImportError where Python was built without them
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"worker processes can't start on this machine: it lets them share no semaphores ({reason})",
            remedy="/dev/shm must be there and writable (in a container: mount a tmpfs there, or --shm-size 64m)",
        ) from error


def local_worker_count(machine: Machine) -> int:
    """How many worker processes this machine gets.

    On a CPU its cores divided by the threads of each one's network, as far as its memory, or its container's, has room for
    them; with GPUs, as many for each as its memory and its share of the cores have room for, at most four.
    """
    if machine.compute.device != "cuda":
        by_cores = machine.cores // machine.compute.threads
        by_memory = machine.memory_bytes // BYTES_PER_WORKER if machine.memory_bytes else by_cores
        return max(1, min(by_cores, by_memory))
    gpus = max(1, machine.gpus)
    by_cores = machine.cores // (gpus * _CORES_PER_GPU_PROCESS)
    by_memory = machine.gpu_bytes // _GPU_BYTES_PER_PROCESS
    return gpus * max(1, min(_MOST_PER_GPU, by_cores, by_memory))


def shards_each(device: Device, cores: int) -> int:
    """How many shards a worker with that many cores computes at a time.

    Two, so that one goes on when the other ends: alone, a shard of nine tiles leaves one of the network's two threads
    idle during its last tile, and both during its first. A GPU would also wait for files: of more shards, each with its
    own reading threads, one has its tiles ready.
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
