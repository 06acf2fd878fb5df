"""A run that is killed at any moment continues where it stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stand_ins import paint, write_slide

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_at_any_step_it_continues_to_the_same_bytes(tmp_path: Path, every: int) -> None:
    write_slide(tmp_path / "slides/a.png", paint(1, width=330, height=60))
    write_slide(tmp_path / "slides/b.png", paint(2, width=240, height=100))
    done = subprocess.run(
        [sys.executable, "-m", "tests.scenarios.kill_at_every_step", str(tmp_path), str(every)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    runs = found["runs"]
    assert found["files"] == 10
    assert found["steps"] > 30, "a run has more steps on the disk than that: the case isn't exercised"
    assert all(run["killed"] for run in runs)
    every_shard = {("a.png", 0), ("a.png", 1), ("b.png", 0)}
    for run in runs:
        marked, computed = ({tuple(shard) for shard in run[name]} for name in ("marked", "computed"))
        assert run["same"], run
        assert marked | computed == every_shard, run
        assert not marked & computed, f"a marked shard was computed again: {run}"
        assert run["left"] == [], run
    assert {len(run["marked"]) for run in runs} == {0, 1, 2, 3}, "kills fell on every stage"
