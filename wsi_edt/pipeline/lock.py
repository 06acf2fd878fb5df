"""One run at a time in a results folder: a lock of the operating system, which dies with its process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from wsi_edt.errors import OutputError

LOCK_NAME = ".wsi-edt.lock"


@contextmanager
def results_lock(out: Path) -> Iterator[None]:
    """Make the results folder and hold its lock.

    The lock's file stays behind: to unlink it while another run opens it would let both in. It holds the process id,
    which only the message below reads.

    Raises
    ------
    OutputError
        Where another run holds the lock, or the folder can't be made or written.
    """
    path = out / LOCK_NAME
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"another run is writing to {out} ({_holder(path)}); wait for it or choose another --out"
        ) from None
    except OSError as error:
        raise OutputError(f"can't write to {out}: {error.strerror or error}; choose another --out") from error
    try:
        with suppress(OSError):  # the number is a courtesy
            path.write_text(f"{os.getpid()}\n")
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError):
        return f"process {int(path.read_text())}"
    return "process unknown"
