"""New processes don't import the script: one without a guard, or from standard input, starts them all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
print("script")
from wsi_edt.cluster.isolation import isolated_calls
from wsi_edt.cluster.local import local_workers
import os

with isolated_calls() as calls:
    assert calls.call(os.getpid, 60.0) != os.getpid()
with local_workers(1) as workers:
    assert workers.client.submit(os.getpid).result() != os.getpid()
import __main__
print("ended", getattr(__main__, "__file__", "no file"))
"""


@pytest.mark.parametrize("way", ["file", "standard input", "-c", "-m"])
def test_it_is_run_once(tmp_path: Path, way: str) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    arguments = {"file": [str(path)], "standard input": ["-"], "-c": ["-c", SCRIPT], "-m": ["-m", "script"]}
    done = subprocess.run(
        [sys.executable, *arguments[way]],
        input=SCRIPT if way == "standard input" else None,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    shown = str(path) if way in ("file", "-m") else done.stdout.rsplit("ended ", 1)[-1].strip()
    assert done.stdout == f"script\nended {shown}\n"
    assert not done.stderr
