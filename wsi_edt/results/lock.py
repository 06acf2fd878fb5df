"""One run at a time in a results folder: a lock of the operating system, which dies with its process.

On a disk that has no locks a lease takes its place, see `wsi_edt.results.lease`.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil
from filelock import FileLock, Timeout

from wsi_edt.errors import OutputError, UsageError
from wsi_edt.results import names
from wsi_edt.results.lease import held_lease

# What the system answers if the disk has no locks: NFS without its lock service, SMB, Lustre without flock, FUSE.
_NO_LOCKS = {
    errno.ENOLCK,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EINVAL,
    errno.EIO,
    errno.ETIMEDOUT,
}
_ANSWER_S = 30.0  # NFS asks a lock service, and without an answer for ever
# What it answers if a folder may not be written to, rather than for a full or broken disk.
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
    out: Path,
    *,
    note: Callable[[str], None] = lambda sentence: None,
    elsewhere: str = ", or choose another --out",
) -> Iterator[Callable[[], None]]:
    """Make the results folder and hold its lock; yields what raises an OutputError once the lock is lost.

    The lock's file stays behind, unless `wsi_edt.results.traces` removes it while the lock is held: deleting it later
    would let two runs in. It says who holds it, for the message below.

    Parameters
    ----------
    note : is told if the disk has no locks
    elsewhere : what a user may do who doesn't want to wait for another run

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
            refuse_if_lost = _held(out, held, note, elsewhere)
        except OSError as error:
            kind = UsageError if error.errno in _NOT_ALLOWED else OutputError
            raise kind(
                f"can't write to {out}: {error.strerror or error}", remedy="choose another --out"
            ) from error
        yield refuse_if_lost


def who_writes(out: Path) -> str | None:
    """Whose run holds the lock at or above a folder ("process 12 on node7"); None if nobody is known to.

    The lock isn't touched: what its file says of a process that is gone, or is this one, doesn't count.
    """
    path = next((path for folder in (out, *out.parents) if (path := folder / names.LOCK).exists()), None)
    if path is None or (holder := _holder(path)) == f"process {os.getpid()} on {platform.node()}":
        return None
    _, number, *host = holder.replace(" on ", " ").split()
    here = host == [platform.node()]
    return None if number == "unknown" or (here and not psutil.pid_exists(int(number))) else holder


def _held(out: Path, held: ExitStack, note: Callable[[str], None], elsewhere: str) -> Callable[[], None]:
    """Hold a lock or a lease until `held` ends."""
    path = out / names.LOCK
    try:
        lock = _acquired(path)
    except Timeout:
        raise OutputError(
            f"another run is writing to {out} ({_holder(path)})",
            remedy=f"wait for it{elsewhere}; if no machine has such a run, remove {path}",
        ) from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        note(f"the disk of {out} has no locks: {names.LEASE} there keeps other runs out")
        return held.enter_context(held_lease(out / names.LEASE)).refuse_if_lost
    held.callback(lock.release)
    owner = None
    with suppress(OSError):  # who holds it is only a courtesy
        ours = f"{os.getpid()} on {platform.node()}\n"
        path.write_text(ours, encoding="utf-8")
        owner = ours
    if (out / names.LEASE).exists():  # of a machine to which this disk has no locks
        return held.enter_context(held_lease(out / names.LEASE)).refuse_if_lost
    return partial(_refuse_if_gone, path, owner)


def _acquired(path: Path) -> FileLock:
    """The lock, held; Timeout if another process holds it, TimeoutError if the disk doesn't answer."""
    lock = FileLock(path, timeout=0, fallback_to_soft=False, thread_local=False)
    answers: SimpleQueue[BaseException | None] = SimpleQueue()

    def ask() -> None:
        try:
            lock.acquire()
        except BaseException as error:
            answers.put(error)
        else:
            answers.put(None)

    threading.Thread(target=ask, name="lock", daemon=True).start()
    try:
        error = answers.get(timeout=_ANSWER_S)
    except Empty:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None
    if error is not None:
        raise error
    return lock


def _refuse_if_gone(path: Path, owner: str | None) -> None:
    """OutputError if the lock's file isn't there any more, as if the folder isn't, or is another run's."""
    try:
        if path.read_text(encoding="utf-8") == owner or owner is None:
            return
    except FileNotFoundError:
        pass
    except (
        OSError,
        ValueError,
    ):  # a network disk may be away for a while; what is written then fails by itself
        return
    raise OutputError(
        f"was removed, moved or emptied while this run was writing there: {path.name} in it is gone, or another run's",
        where=path.parent,
        remedy="the same command begins again with what is left",
    )


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError):
        number, _, host = path.read_text(encoding="utf-8").strip().partition(" on ")
        return f"process {int(number)}" + (f" on {host}" if host else "")
    return "process unknown"
