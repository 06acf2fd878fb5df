"""A refused run leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from wsi_edt.errors import OutputError
from wsi_edt.results.lock import results_lock
from wsi_edt.results.names import LOCK
from wsi_edt.results.traces import without_empty_folders, without_lock

# Takes and leaves the folder as fast as it can, and counts how often it is alone there.
RUNS = """
import sys, time
from pathlib import Path
from wsi_edt.errors import WsiEdtError
from wsi_edt.results.lock import results_lock
from wsi_edt.results.traces import without_lock

out, until, held = Path(sys.argv[1]), time.monotonic() + 1.5, 0
while time.monotonic() < until:
    try:
        with results_lock(out), without_lock(out):
            (out / "mine").touch(exist_ok=False)
            (out / "mine").unlink()
            held += 1
    except WsiEdtError:
        pass
print(held)
"""


def test_neither_the_lock_nor_the_folders_that_were_made_stay(tmp_path: Path) -> None:
    out = tmp_path / "deep/er/out"
    with suppress(ZeroDivisionError), without_empty_folders(out), results_lock(out), without_lock(out):
        assert (out / LOCK).exists()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_and_what_was_written_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for out in (tmp_path / "there", tmp_path / "made/out"):
        with without_empty_folders(out), results_lock(out), without_lock(out):
            (out / "summary.csv").touch()
        assert [path.name for path in out.iterdir()] == ["summary.csv"]
    (tmp_path / "there/summary.csv").unlink()
    with without_empty_folders(tmp_path / "there"), results_lock(tmp_path / "there"):
        pass
    assert (tmp_path / "there").is_dir(), "it was there before"


def test_another_runs_lock_stays(tmp_path: Path) -> None:
    with without_empty_folders(tmp_path), results_lock(tmp_path), without_lock(tmp_path):
        with (
            pytest.raises(OutputError, match="another run"),
            without_empty_folders(tmp_path),
            results_lock(tmp_path),
            without_lock(tmp_path),
        ):
            pass
        assert (tmp_path / LOCK).exists()
        (tmp_path / LOCK).rename(tmp_path / "kept")  # so that the next file has another number
        (tmp_path / LOCK).touch()
    assert (tmp_path / LOCK).exists(), "somebody emptied the folder, and another run took it"


def test_removing_the_lock_never_lets_two_in(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUNS, str(tmp_path)]
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ended = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], [errors for _, errors in ended]
    assert sum(int(held) for held, _ in ended) > 100
