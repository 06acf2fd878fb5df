"""How much memory this process may take: the machine's, or less where a container or a batch system limits it.

Linux keeps such limits in control groups, each within the one above it; all of them hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Memory:
    """What this process may take, and what of that is free, in bytes."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class _Files:
    """Where a version of control groups keeps what is needed here, below a mount."""

    mount: str
    limit: str
    used: str
    cached: str  # in memory.stat: of `used`, what files have, and give back


_VERSION_1 = _Files("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = _Files(".", "memory.max", "memory.current", "inactive_file")


def memory(*, groups: Path = _CONTROL_GROUPS, own: Path = _OWN_GROUPS) -> Memory:
    """The memory of this machine, or what the tightest control group of this process leaves of it.

    Parameters
    ----------
    groups, own : where the system tells of control groups
    """
    machine = psutil.virtual_memory()
    total, free = int(machine.total), int(machine.available)
    for folder, files in _own_folders(groups, own):
        with suppress(OSError, ValueError):  # no such controller here, or "max"
            limit = int((folder / files.limit).read_text(encoding="ascii"))
            total = min(total, limit)
            used = int((folder / files.used).read_text(encoding="ascii")) - _cached(folder, files)
            free = min(free, max(0, limit - used))
    return Memory(total, free)


def _own_folders(groups: Path, own: Path) -> Iterator[tuple[Path, _Files]]:
    """The folder of each control group of this process, the widest first.

    In a container that sees its own group as the topmost the path in `own` may be the host's; then the topmost is it.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        files = _VERSION_1 if controllers else _VERSION_2
        folder = groups / files.mount
        yield folder, files
        for part in Path(path).parts[1:]:
            folder /= part
            yield folder, files


def _cached(folder: Path, files: _Files) -> int:
    """What files have of a group's memory: the system takes it back when it is needed."""
    with suppress(OSError, ValueError):
        for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == files.cached:
                return int(value)
    return 0
