"""One run at a time in a results folder."""

from __future__ import annotations

import errno
import os
import platform
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from wsi_edt.errors import OutputError, UsageError
from wsi_edt.results import lock
from wsi_edt.results.lock import refuse_unusable_out, results_lock
from wsi_edt.results.names import LEASE, LOCK

HOLDER = """
import sys, time
from pathlib import Path
from wsi_edt.results.lock import results_lock

with results_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_refused_while_the_first_lives_and_only_then(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", HOLDER, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(OutputError, match=rf"another run is writing to .*process {holder.pid}"),
            results_lock(out),
        ):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with results_lock(out):
            assert (out / LOCK).read_text() == f"{os.getpid()} on {platform.node()}\n"


def test_a_lock_of_an_earlier_version_names_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / LOCK).write_text("123\n")
    monkeypatch.setattr(
        "fcntl.flock", lambda *arguments: (_ for _ in ()).throw(BlockingIOError(errno.EAGAIN, ""))
    )
    with (
        pytest.raises(OutputError, match=r"\(process 123\); .*remove .*\.wsi-edt\.lock"),
        results_lock(tmp_path),
    ):
        pass


def test_a_disk_that_never_answers_has_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(lock, "_ANSWER_S", 0.2)
    monkeypatch.setattr("fcntl.flock", lambda *arguments: answer.wait(60))
    said: list[str] = []
    with results_lock(tmp_path, note=said.append) as refuse_if_lost:
        refuse_if_lost()
        assert (tmp_path / LEASE).exists()
    answer.set()
    assert "has no locks" in said[0]


def test_a_lock_is_lost_with_its_folder(tmp_path: Path) -> None:
    with results_lock(tmp_path / "out") as refuse_if_lost:
        refuse_if_lost()
        (tmp_path / "out").rename(tmp_path / "elsewhere")
        with pytest.raises(OutputError, match="was removed, moved or emptied while this run was writing"):
            refuse_if_lost()
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / LOCK).write_text("1 on another\n")
        with pytest.raises(OutputError, match="is gone, or another run's"):
            refuse_if_lost()
        (tmp_path / "out" / LOCK).write_text(f"{os.getpid()} on {platform.node()}\n")
        refuse_if_lost()


def test_a_lock_is_not_lost_while_its_disk_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*arguments: object, **options: object) -> str:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with results_lock(tmp_path) as refuse_if_lost:
        monkeypatch.setattr(Path, "read_text", away)
        refuse_if_lost()


def test_it_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with results_lock(tmp_path / "deep/out"):
            pass


def test_it_is_let_go_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), results_lock(tmp_path):
        raise ZeroDivisionError
    with results_lock(tmp_path):
        pass


def test_an_out_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"is a file, not a folder.*--out"), results_lock(tmp_path / "file"):
        pass
    with pytest.raises(UsageError, match=r"file is a file, not a folder"):
        refuse_unusable_out(tmp_path / "file/below")


def test_an_out_that_nobody_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UsageError, match=rf"no permission to write in {tmp_path}"):
        refuse_unusable_out(tmp_path / "deep/out")
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize(("number", "kind"), [(errno.EROFS, UsageError), (errno.ENOSPC, OutputError)])
def test_what_is_not_allowed_is_usage_and_a_full_disk_is_not(
    number: int, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(kind, match="can't write to"), results_lock(tmp_path / "out"):
        pass


@pytest.mark.parametrize("url", ["s3://bucket/results", "file:///tmp/results"])
def test_a_url_is_no_results_folder(url: str) -> None:
    with pytest.raises(UsageError, match="isn't a folder of this machine"):
        refuse_unusable_out(Path(url))
