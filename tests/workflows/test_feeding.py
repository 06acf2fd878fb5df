"""What the benchmark of feeding a GPU reckons with: cores, Python's lock, and tiles a second; no timings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.bundles.tiny import tiny_bundle


def test_a_machine_gives_what_its_cores_or_its_locks_allow(scripts: Any) -> None:
    machine = scripts("feeding").Extrapolated.of
    assert machine(16, cpu=0.08, lock=0.005).processes == 4
    assert machine(16, cpu=0.08, lock=0.005).tiles_per_second == pytest.approx(16 / 0.08)
    assert machine(16, cpu=0.08, lock=0.05).tiles_per_second == pytest.approx(4 / 0.05)
    assert machine(2, cpu=0.08, lock=0.05).tiles_per_second == pytest.approx(1 / 0.05)


def test_who_holds_pythons_lock_is_noticed(scripts: Any) -> None:
    lock = scripts("lock_watch")
    lock.start()
    began = time.thread_time()
    while time.thread_time() - began < 0.3:
        pass
    assert lock.stop() > 0.03  # nearly 0.3, but for what else the machine does
    watch = lock.LockWatch()
    assert watch.lost() >= 0


def test_feeding_tells_what_cores_and_lock_allow(scripts: Any, tmp_path: Path) -> None:
    model = str(tiny_bundle(tmp_path / "tiny", mpp=0.3125).directory)
    options = ["--tile-px", "128", "--processes", "1", "--tiles", "81", "--model", model]
    result = CliRunner().invoke(scripts("feeding").main, options, catch_exceptions=False)
    tables = [line.split("|")[1:-1] for line in result.output.splitlines() if line.startswith("|")]
    ways = [(row[0].strip(), row[1].strip()) for row in tables[2:4]]
    assert ways == [("128 px", "reading alone, before and after"), ("128 px", "1 process, a core each")]
    for row in (tables[3][2:], tables[6][1:]):
        assert all(float(cell.strip().rstrip("%")) > 0 for cell in row)
    assert "16 cores and a GPU: 4 processes" in result.output
