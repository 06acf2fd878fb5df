"""Limits that the system sets to this process (ulimit), raised as far as they may be, or refused in one sentence."""

from __future__ import annotations

import sys
import threading

from wsi_edt.errors import UsageError

# Open files and sockets: of a client, and more for each worker. With one worker 60 were enough, 40 weren't.
_FILES = 48
_FILES_PER_WORKER = 12
# Threads of a client and a worker: with one worker 40 were enough, of which some were there already, 30 weren't.
_THREADS = 32
# A worker with the shipped model and two threads had 2.5 GiB of them in OpenVINO, of which 0.7 GiB was memory, and 1.8 in
# torch, the client 2.1. With 2.2 GiB torch worked, with 1.9 its libraries couldn't be loaded.
_ADDRESSES = 3 << 30
_FEWEST_ADDRESSES = 2 << 30


def allow_open_files(workers: int) -> None:
    """Raise this process' own limit of open files to what so many workers need; UsageError if it may not be."""
    count = _FILES + workers * _FILES_PER_WORKER
    most = _raised("RLIMIT_NOFILE", count)
    if most is not None and most < count:
        raise UsageError(
            f"only {most} files may be open at a time, where {count} are needed",
            remedy="raise the limit (ulimit -n 1024), or use fewer --workers",
        )


def refuse_tight_limits() -> None:
    """UsageError if there is no room for the libraries that compute, or for their threads.

    They would end the process, or leave it hanging, wherever they happen to meet the limit.
    """
    most = _raised("RLIMIT_AS", _ADDRESSES)
    if most is not None and most < _FEWEST_ADDRESSES:
        raise UsageError(
            f"a process may only have {most / 2**30:.1f} GiB of addresses here, where {_ADDRESSES / 2**30:g} are needed",
            remedy="raise the limit (ulimit -v, or h_vmem of a batch system)",
        )
    _refuse_few_threads()


def _raised(name: str, wanted: int) -> int | None:
    """Raise a limit to what is wanted, if it is lower; return what it is then, or None without a limit."""
    if sys.platform == "win32":
        return None
    import resource  # which isn't there

    kind: int = getattr(resource, name)
    soft, hard = resource.getrlimit(kind)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return None if soft == resource.RLIM_INFINITY else soft
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (most, hard))
    return most


def _refuse_few_threads() -> None:
    end = threading.Event()
    begun: list[threading.Thread] = []
    try:
        for _ in range(_THREADS):
            thread = threading.Thread(target=end.wait, name="limit", daemon=True)
            thread.start()
            begun.append(thread)
    except RuntimeError as error:
        raise UsageError(
            f"only {len(begun)} more threads can be started here, where {_THREADS} are needed",
            remedy="raise the limit of processes (ulimit -u, or the container's of pids)",
        ) from error
    finally:
        end.set()
        for thread in begun:
            thread.join()
