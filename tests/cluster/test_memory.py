"""What of the machine's memory a container or a batch system leaves to this process."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from wsi_edt.cluster.memory import Memory, memory

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 GiB, of which 60 are free."""
    now = psutil.virtual_memory()._replace(total=64 * GIB, available=60 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: now)


def found(root: Path, own: str, files: dict[str, object]) -> Memory:
    for name, content in files.items():
        path = root / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    (root / "own").write_text(own)
    return memory(groups=root / "groups", own=root / "own")


def test_a_container_of_today(tmp_path: Path) -> None:
    """Control groups of version 2, of which it sees its own as the topmost."""
    files = {
        "memory.max": 8 * GIB,
        "memory.current": 5 * GIB,
        "memory.stat": f"anon 7\ninactive_file {4 * GIB}",
    }
    assert found(tmp_path, "0::/\n", files) == Memory(8 * GIB, 7 * GIB)


def test_a_job_of_a_batch_system(tmp_path: Path) -> None:
    """Slurm limits the job, not the step within it that the process is in."""
    job = "system.slice/slurmstepd.scope/job_7"
    files: dict[str, object] = {
        "memory.stat": "anon 0",  # the topmost has no limit
        "system.slice/memory.max": "max",
        f"{job}/memory.max": 16 * GIB,
        f"{job}/memory.current": 3 * GIB,
        f"{job}/step_0/memory.max": "max",
        f"{job}/step_0/memory.current": 3 * GIB,
    }
    assert found(tmp_path, f"0::/{job}/step_0\n", files) == Memory(16 * GIB, 13 * GIB)


def test_a_container_of_yesterday(tmp_path: Path) -> None:
    """Version 1, where the path is the host's and isn't there; the second controller's folder is another's."""
    files: dict[str, object] = {
        "memory/memory.limit_in_bytes": 2 * GIB,
        "memory/memory.usage_in_bytes": 2 * GIB,
        "memory/memory.stat": f"cache 1\ntotal_inactive_file {GIB}",
        "cpu/memory.limit_in_bytes": 1,
    }
    own = "9:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n"
    assert found(tmp_path, own, files) == Memory(2 * GIB, GIB)


@pytest.mark.parametrize(
    ("own", "files"),
    [
        (
            "4:memory:/a\n",
            {"memory/memory.limit_in_bytes": 2**63 - 4096, "memory/memory.usage_in_bytes": GIB},
        ),
        ("0::/a\n", {}),
        ("", {}),
    ],
)
def test_without_a_limit_it_is_the_machines(tmp_path: Path, own: str, files: dict[str, object]) -> None:
    assert found(tmp_path, own, files) == Memory(64 * GIB, 60 * GIB)
    assert memory(groups=tmp_path / "none", own=tmp_path / "none") == Memory(64 * GIB, 60 * GIB)


def test_this_machine_has_some() -> None:
    here = memory()
    assert 0 <= here.free <= here.total
