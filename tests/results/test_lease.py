"""The lease of disks without locks: processes that live, die, stand still and come back."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wsi_edt.errors import OutputError
from wsi_edt.results import lease, names
from wsi_edt.results.lease import Lease, held_lease
from wsi_edt.results.lock import results_lock

HOLDER = """
import sys, time
from pathlib import Path
from wsi_edt.results import lease
lease.BEAT_S = 0.1
lease.platform.node = lambda: "elsewhere"
if sys.argv[2] == "unseen":
    lease._kernel = lambda: "of another machine"
with lease.held_lease(Path(sys.argv[1])) as held:
    print("held", flush=True)
    while True:
        time.sleep(0.05)
        held.refuse_if_lost()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.1)
    monkeypatch.setattr(lease, "WATCH_S", 2.0)


@pytest.fixture(params=["unseen"])
def holder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """Another process, which says that it is on another machine unless it is "seen", so that its end can't be seen."""
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path / "lease"), request.param]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_run_that_lives_is_respected(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(OutputError, match=rf"another run .*\(process {holder.pid} on elsewhere\)"):
        Lease(tmp_path / "lease").take()


def test_a_run_that_was_killed_loses_it(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    begun = time.monotonic()
    with held_lease(tmp_path / "lease") as held:
        held.refuse_if_lost()
        assert time.monotonic() - begun >= lease.WATCH_S
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("holder", ["seen"], indirect=True)
def test_a_killed_run_that_could_be_seen_loses_it_at_once(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder.kill()
    holder.wait()
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("it need not be watched"))
    with held_lease(tmp_path / "lease"):
        pass


def test_a_run_that_stood_still_stops_when_it_wakes(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGSTOP)
    with held_lease(tmp_path / "lease") as held:
        os.kill(holder.pid, signal.SIGCONT)
        _, said = holder.communicate(timeout=30)
        assert "is gone: another run took it over" in said
        held.refuse_if_lost()


def test_a_lease_that_somebody_removed_is_lost(tmp_path: Path) -> None:
    with held_lease(tmp_path / "lease") as held:
        (tmp_path / "lease").unlink()
        with pytest.raises(OutputError, match="is gone"):
            held.refuse_if_lost()


@pytest.mark.parametrize(
    "seen", [b'{"run": "dead", "host": "elsewhere", "kernel": "", "pid": 1, "beat": 7}', b"{"]
)
def test_one_that_another_took_meanwhile_is_put_back(tmp_path: Path, seen: bytes) -> None:
    """Two see the same dead run; the slower one must not take the faster one's lease."""
    path = tmp_path / "lease"
    with held_lease(path) as fast:
        with pytest.raises(OutputError, match="another run is writing"):
            Lease(path)._remove_dead(seen)
        fast.refuse_if_lost()
    assert list(tmp_path.iterdir()) == []


def test_a_living_run_whose_processes_cannot_be_seen_is_watched(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container of the same host, with the host's name: its processes' numbers mean nothing here."""
    monkeypatch.setattr("psutil.pid_exists", lambda pid: False)
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    with pytest.raises(OutputError, match="another run is writing"):
        Lease(tmp_path / "lease").take()


def test_a_disk_that_is_away_for_a_moment_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, away = Path.read_bytes, threading.Event()

    def read(path: Path) -> bytes:
        if away.is_set():
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    with held_lease(tmp_path / "lease") as held:
        away.set()
        held.refuse_if_lost()
        time.sleep(0.5)  # five beats
        away.clear()
        before = real(tmp_path / "lease")
        time.sleep(0.5)
        assert real(tmp_path / "lease") != before, "it beats again"
        with pytest.raises(OutputError, match="another run is writing"):
            Lease(tmp_path / "lease").take()


def test_where_there_are_locks_a_lease_is_respected(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    (tmp_path / "lease").rename(tmp_path / names.LEASE)
    os.link(tmp_path / names.LEASE, tmp_path / "lease")
    living = json.loads((tmp_path / names.LEASE).read_text())

    def beats() -> None:
        for beat in range(100):
            (tmp_path / names.LEASE).write_text(json.dumps(living | {"beat": 100 + beat}))
            time.sleep(0.05)

    threading.Thread(target=beats, daemon=True).start()
    with pytest.raises(OutputError, match="another run is writing"), results_lock(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": 3}'])
def test_a_half_written_lease_is_watched_and_then_taken(tmp_path: Path, content: str) -> None:
    (tmp_path / "lease").write_text(content)
    with held_lease(tmp_path / "lease") as held:
        held.refuse_if_lost()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EIO])
def test_a_disk_without_locks_gets_a_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    said: list[str] = []
    with results_lock(tmp_path, note=said.append) as refuse_if_lost:
        assert said == [f"the disk of {tmp_path} has no locks: {names.LEASE} there keeps other runs out"]
        refuse_if_lost()
        with pytest.raises(OutputError, match="another run is writing"), results_lock(tmp_path):
            pass
    assert not (tmp_path / names.LEASE).exists()
