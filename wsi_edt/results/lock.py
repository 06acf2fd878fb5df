"""One run at a time in a results folder: a lock of the operating system, which dies with its process."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from wsi_edt.errors import OutputError, UsageError
from wsi_edt.results import names

# What the system answers if a folder may not be written to, rather than for a full or broken disk.
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def refuse_unusable_out(out: Path) -> None:
    """UsageError if there can't be a results folder at `out`; creates nothing."""
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(out), re.IGNORECASE):
        raise UsageError(
            "isn't a folder of this machine",
            where=f"--out {out}",
            remedy="write to a folder here, and copy the results from there",
        )
    try:
        there = next(path for path in (out, *out.absolute().parents) if path.exists())
    except OSError as error:
        raise UsageError(f"can't write to {out}: {error.strerror}", remedy="choose another --out") from error
    if not there.is_dir():
        raise UsageError(f"--out {out}: {there} is a file, not a folder", remedy="choose another --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(
            f"can't write to {out}: no permission to write in {there}, or it is read-only",
            remedy="choose another --out",
        )


@contextmanager
def results_lock(out: Path) -> Iterator[None]:
    """Make the results folder and hold its lock.

    The lock's file stays behind: deleting it while another run opens it would let both in. It holds the process id,
    for the message below.

    Raises
    ------
    UsageError
        If there can't be a results folder.
    OutputError
        If another run holds the lock, or the system refuses for another reason.
    """
    refuse_unusable_out(out)
    path = out / names.LOCK
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"another run is writing to {out} ({_holder(path)})",
            remedy="wait for it, or choose another --out",
        ) from None
    except OSError as error:
        kind = UsageError if error.errno in _NOT_ALLOWED else OutputError
        raise kind(
            f"can't write to {out}: {error.strerror or error}", remedy="choose another --out"
        ) from error
    try:
        with suppress(OSError):  # the process id is only a courtesy
            path.write_text(f"{os.getpid()}\n")
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError):
        return f"process {int(path.read_text())}"
    return "process unknown"
