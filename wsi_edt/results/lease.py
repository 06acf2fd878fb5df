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
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

import psutil

from wsi_edt.errors import OutputError

BEAT_S = 10.0
WATCH_S = 35.0  # three beats, and some time for a network disk to show them


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who holds a lease, and how far its heartbeat has come."""

    run: str
    host: str
    pid: int
    beat: int

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The owner that a file names; None without a file, or if it is half written."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return cls(str(fields["run"]), str(fields["host"]), int(fields["pid"]), int(fields["beat"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def to_bytes(self) -> bytes:
        fields = {"run": self.run, "host": self.host, "pid": self.pid, "beat": self.beat}
        return (json.dumps(fields) + "\n").encode()

    @property
    def is_gone(self) -> bool:
        """Whether it was a process of this machine that isn't there any more."""
        return self.host == platform.node() and not psutil.pid_exists(self.pid)


class Lease:
    """A lease that this process holds; `refuse_if_lost` tells whether it still does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._run = uuid4().hex
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
            found = _Owner.read(self._path)
            if found is None or not found.is_gone:
                _refuse_if_it_lives(self._path, found)
            with suppress(FileNotFoundError):  # somebody else was faster
                self._remove_dead(found)
        self._beats.start()

    def release(self) -> None:
        """Give the lease back."""
        self._ended.set()
        self._beats.join()
        if self._is_ours:
            with suppress(OSError):
                self._path.unlink()

    def refuse_if_lost(self) -> None:
        """Raise OutputError if another run has taken the lease, as it may if this one stood still for long."""
        if not self._is_ours:
            raise OutputError(
                f"the lease of this run, {self._path}, is gone: another run took it over, or somebody removed it",
                remedy="once no other run writes there, the same command continues",
            )

    @property
    def _is_ours(self) -> bool:
        found = _Owner.read(self._path)
        return found is not None and found.run == self._run

    def _owner(self, beat: int) -> _Owner:
        return _Owner(self._run, platform.node(), os.getpid(), beat)

    def _created(self) -> bool:
        """Whether the file wasn't there and is now; every file system makes that in one step."""
        try:
            number = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        with os.fdopen(number, "wb") as file:
            file.write(self._owner(0).to_bytes())
        return True

    def _remove_dead(self, found: _Owner | None) -> None:
        """Remove a dead run's file; if another run has just done so, and made its own, that one is put back."""
        aside = self._path.with_name(f"{self._path.name}.{self._run}")
        self._path.rename(aside)
        moved = _Owner.read(aside)
        if moved is not None and found is not None and moved.run != found.run:
            aside.rename(self._path)
            raise _held(self._path, moved)
        aside.unlink()

    def _beat(self) -> None:
        beat = 0
        while not self._ended.wait(BEAT_S):
            beat += 1
            if not self._is_ours:
                return
            with suppress(OSError):  # a network disk may be away for a while; others look for longer
                next_path = self._path.with_name(f"{self._path.name}.{self._run}")
                next_path.write_bytes(self._owner(beat).to_bytes())
                next_path.replace(self._path)


def _refuse_if_it_lives(path: Path, found: _Owner | None) -> None:
    """Watch a lease for some beats; OutputError if it changes."""
    until = time.monotonic() + WATCH_S
    while time.monotonic() < until:
        time.sleep(min(1.0, WATCH_S / 20))
        now = _Owner.read(path)
        if now is None and not path.exists():
            return  # given back
        if now is not None and now != found:
            raise _held(path, now)


def _held(path: Path, owner: _Owner) -> OutputError:
    return OutputError(
        f"another run is writing to {path.parent} (process {owner.pid} on {owner.host})",
        remedy="wait for it, or choose another --out",
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
