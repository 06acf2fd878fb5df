"""One run at a time in a results folder: a lock of the operating system, which dies with its process.

On a disk that has no locks a lease takes its place, see `wsi_edt.results.lease`.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from wsi_edt.errors import OutputError, UsageError
from wsi_edt.results import names
from wsi_edt.results.lease import held_lease

# What the system answers if a folder may not be written to, rather than for a full or broken disk.
# What it answers if the disk has no locks: NFS without its lock service, SMB, Lustre without flock, FUSE.
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EIO}
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
def results_lock(
    out: Path, *, note: Callable[[str], None] = lambda sentence: None
) -> Iterator[Callable[[], None]]:
    """Make the results folder and hold its lock; yields what raises an OutputError once the lock is lost.

    The lock's file stays behind: deleting it while another run opens it would let both in. It holds the process id,
    for the message below.

    Parameters
    ----------
    note : is told if the disk has no locks

    Raises
    ------
    UsageError
        If there can't be a results folder.
    OutputError
        If another run holds the lock, or the system refuses for another reason.
    """
    refuse_unusable_out(out)
    with ExitStack() as held:
        try:
            out.mkdir(parents=True, exist_ok=True)
            refuse_if_lost = _held(out, held, note)
        except OSError as error:
            kind = UsageError if error.errno in _NOT_ALLOWED else OutputError
            raise kind(
                f"can't write to {out}: {error.strerror or error}", remedy="choose another --out"
            ) from error
        yield refuse_if_lost


def _held(out: Path, held: ExitStack, note: Callable[[str], None]) -> Callable[[], None]:
    """Hold a lock or a lease until `held` ends."""
    path = out / names.LOCK
    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"another run is writing to {out} ({_holder(path)})",
            remedy="wait for it, or choose another --out",
        ) from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        note(f"the disk of {out} has no locks: {names.LEASE} there keeps other runs out")
        return held.enter_context(held_lease(out / names.LEASE)).refuse_if_lost
    held.callback(lock.release)
    with suppress(OSError):  # the process id is only a courtesy
        path.write_text(f"{os.getpid()}\n")
    if (out / names.LEASE).exists():  # of a machine to which this disk has no locks
        return held.enter_context(held_lease(out / names.LEASE)).refuse_if_lost
    return lambda: None


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError):
        return f"process {int(path.read_text())}"
    return "process unknown"
