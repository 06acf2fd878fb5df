"""The lease of disks without locks: processes that live, die, stand still and come back."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
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
lease.platform.node = lambda: sys.argv[2]
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


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which says that it is on another machine, so that its end can't simply be seen."""
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path / "lease"), "elsewhere"]
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


def test_a_killed_run_of_this_machine_loses_it_at_once(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder.kill()
    holder.wait()
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
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


def test_one_that_another_took_meanwhile_is_put_back(tmp_path: Path) -> None:
    """Two see the same dead run; the slower one must not take the faster one's lease."""
    path = tmp_path / "lease"
    path.write_text('{"run": "dead", "host": "elsewhere", "pid": 1, "beat": 7}')
    seen = lease._Owner.read(path)
    path.unlink()
    with held_lease(path) as fast:
        with pytest.raises(OutputError, match="another run is writing"):
            Lease(path)._remove_dead(seen)
        fast.refuse_if_lost()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": 3}'])
def test_a_half_written_lease_is_watched_and_then_taken(tmp_path: Path, content: str) -> None:
    (tmp_path / "lease").write_text(content)
    with held_lease(tmp_path / "lease") as held:
        held.refuse_if_lost()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EIO])
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
