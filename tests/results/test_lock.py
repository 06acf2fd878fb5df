"""One run at a time in a results folder."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wsi_edt.errors import OutputError, UsageError
from wsi_edt.results.lock import refuse_unusable_out, results_lock
from wsi_edt.results.names import LOCK

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
            assert (out / LOCK).read_text() == f"{os.getpid()}\n"


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
