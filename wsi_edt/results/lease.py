"""One run at a time on disks without locks (some NFS, SMB, Lustre and FUSE mounts): a file with an owner and a heartbeat.

A lock of the system dies with its process; a file doesn't. So its owner writes a new number into it every ten seconds, and
whoever wants the folder watches for a while: a number that changes is a run that lives, one that stands still a run that
died. Only change is looked at, never a time: clocks of two machines differ, and jump.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

import psutil

from wsi_edt.errors import OutputError

BEAT_S = 10.0
WATCH_S = 35.0  # three beats, and some time for a network disk to show them
_LOOKS, _LOOK_S = 3, 0.2


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who holds a lease, and how far its heartbeat has come.

    Attributes
    ----------
    run : of this lease alone
    kernel : of the machine since it was started, and of its processes' numbers: containers of one host have their own
    """

    run: str
    host: str
    kernel: str
    pid: int
    beat: int

    @classmethod
    def parse(cls, content: bytes) -> Self | None:
        """The owner that a file's content names; None if it is half written."""
        try:
            fields = json.loads(content)
            run, host, kernel = (str(fields[name]) for name in ("run", "host", "kernel"))
            return cls(run, host, kernel, int(fields["pid"]), int(fields["beat"]))
        except (ValueError, TypeError, KeyError):
            return None

    def to_bytes(self) -> bytes:
        return (json.dumps(asdict(self)) + "\n").encode()

    @property
    def is_gone(self) -> bool:
        """Whether it was a process that could be seen from here, and isn't there any more."""
        return bool(self.kernel) and self.kernel == _kernel() and not psutil.pid_exists(self.pid)


class Lease:
    """A lease that this process holds; `refuse_if_lost` tells whether it still does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._run = uuid4().hex
        self._aside = path.with_name(f"{path.name}.{self._run}")
        self._ended = threading.Event()
        self._beats = threading.Thread(target=self._beat, name="lease", daemon=True)

    def take(self) -> None:
        """Take the lease; a dead run's is taken over after a while of watching.

        Raises
        ------
        OutputError
            If another run holds it.
        OSError
            If the system refuses for another reason.
        """
        while not self._created():
            with suppress(FileNotFoundError):  # given back, or somebody else was faster
                seen = self._path.read_bytes()
                owner = _Owner.parse(seen)
                if owner is None or not owner.is_gone:
                    _refuse_if_it_changes(self._path, seen)
                self._remove_dead(seen)
        self._beats.start()

    def release(self) -> None:
        """Give the lease back."""
        self._ended.set()
        self._beats.join()
        with suppress(OSError):
            if self._is_ours():
                self._path.unlink()

    def refuse_if_lost(self) -> None:
        """Raise OutputError if another run has taken the lease, as it may if this one stood still for long."""
        for _ in range(_LOOKS):
            try:
                if self._is_ours():
                    return
            except OSError:  # a network disk may be away for a while; what is written then fails by itself
                return
            time.sleep(_LOOK_S)  # another run may just be putting it back
        raise OutputError(
            f"the lease of this run, {self._path}, is gone: another run took it over, or somebody removed it",
            remedy="once no other run writes there, the same command continues",
        )

    def _is_ours(self) -> bool:
        """Whether the file names this run; OSError if it can't be read, but for being absent."""
        try:
            owner = _Owner.parse(self._path.read_bytes())
        except FileNotFoundError:
            return False
        return owner is not None and owner.run == self._run

    def _owner(self, beat: int) -> _Owner:
        return _Owner(self._run, platform.node(), _kernel(), os.getpid(), beat)

    def _created(self) -> bool:
        """Whether the file wasn't there and is now, which file systems make in one step (NFS since its version 3)."""
        try:
            number = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        with os.fdopen(number, "wb") as file:
            file.write(self._owner(0).to_bytes())
        return True

    def _remove_dead(self, seen: bytes) -> None:
        """Remove a file with that content; if it has another by now, it is a living run's, and put back."""
        self._path.rename(self._aside)
        moved = self._aside.read_bytes()
        if moved != seen:
            with suppress(OSError):  # there already is another again
                os.link(self._aside, self._path)
            self._aside.unlink()
            raise _held(self._path, moved)
        self._aside.unlink()

    def _beat(self) -> None:
        beat = 0
        while not self._ended.wait(BEAT_S):
            beat += 1
            with suppress(OSError):  # others look for longer than a disk is away for a moment
                if not self._is_ours():
                    continue
                self._aside.write_bytes(self._owner(beat).to_bytes())
                self._aside.replace(self._path)


def _kernel() -> str:
    """What tells the processes that can be seen from here; "" where that isn't known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _refuse_if_it_changes(path: Path, seen: bytes) -> None:
    """Watch a lease for some beats; OutputError if it changes, FileNotFoundError if it is given back."""
    until = time.monotonic() + WATCH_S
    while time.monotonic() < until:
        time.sleep(min(1.0, WATCH_S / 20))
        if (now := path.read_bytes()) != seen:
            raise _held(path, now)


def _held(path: Path, content: bytes) -> OutputError:
    owner = _Owner.parse(content)
    who = "" if owner is None else f" (process {owner.pid} on {owner.host})"
    return OutputError(
        f"another run is writing to {path.parent}{who}",
        remedy=f"wait for it, or choose another --out; if no machine has such a run, remove {path}",
    )


@contextmanager
def held_lease(path: Path) -> Iterator[Lease]:
    """Hold the lease; see `Lease.take` for what it raises."""
    lease = Lease(path)
    lease.take()
    try:
        yield lease
    finally:
        lease.release()
