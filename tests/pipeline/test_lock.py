"""One run at a time in a results folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wsi_edt.errors import OutputError
from wsi_edt.pipeline.lock import LOCK_NAME, results_lock

HOLDER = """
import sys, time
from pathlib import Path
from wsi_edt.pipeline.lock import results_lock

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
            assert (out / LOCK_NAME).read_text() == f"{os.getpid()}\n"


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
    with pytest.raises(OutputError, match=r"can't write to .*--out"), results_lock(tmp_path / "file"):
        pass
    with pytest.raises(OutputError, match=r"can't write to .*--out"), results_lock(tmp_path / "file/out"):
        pass
