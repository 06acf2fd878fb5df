"""Runs commands within a time limit, and ends those that exceed it with all that they started. Standard library only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

Status = Literal["done", "failed", "out of time", "stopped", "skipped"]
LOOK_SECONDS = 1.0
GRACE_SECONDS = 5.0  # between asking a command to end and ending it


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    status : "done" is an exit code of 0
    seconds : by the clock
    """

    status: Status
    seconds: float


class Stopped(BaseException):
    """The process was asked to end (SIGTERM, SIGINT). Not an `Exception`, so that nothing takes it for a failure."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it, SIGTERM and SIGINT raise `Stopped`."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_within(
    command: Sequence[str],
    seconds: float,
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    own_group: bool = False,
    grace: float = GRACE_SECONDS,
    meanwhile: Callable[[], None] | None = None,
) -> Ended:
    """Run a command for at most that long; nothing that it started is left when this returns or raises.

    Parameters
    ----------
    command : with its arguments
    seconds : after which it gets SIGTERM, and SIGKILL after `grace` more
    log : both its output streams are appended there
    environment : added to this process's
    folder : that it runs in
    own_group : whether it gets its own process group. Only the outermost command should: ending the group then ends
        everything in it, including what an inner command started and lost
    grace : seconds
    meanwhile : called about once a second while the command runs
    """
    started = time.monotonic()
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                process_group=0 if own_group else None,
            )
        except OSError as error:
            output.write(f"{command[0]} can't be started: {error.strerror}\n".encode())
            return Ended("failed", time.monotonic() - started)
        status: Status = "out of time"
        try:
            while (left := started + seconds - time.monotonic()) > 0:
                with suppress(subprocess.TimeoutExpired):
                    status = "done" if process.wait(min(left, LOOK_SECONDS)) == 0 else "failed"
                    break
                if meanwhile is not None:
                    meanwhile()
        finally:
            _end(process, own_group=own_group, grace=grace)
    return Ended(status, time.monotonic() - started)


def _end(process: subprocess.Popen[bytes], *, own_group: bool, grace: float) -> None:
    """End a command if it still runs, and what is left of its descendants, whatever group they are in."""
    started = _descendants(process.pid)
    if process.poll() is None:
        process.terminate()  # only it: it knows best how to end what it started
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
        finally:
            started += _descendants(process.pid)
            process.kill()
    if own_group:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    for number in started:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(number, signal.SIGKILL)
    process.wait()


def _descendants(root: int) -> list[int]:
    """The process's descendants; none if there is no /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in brackets may contain anything; state and parent follow it.
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = [], [root]
    while waiting:
        own = children.get(waiting.pop(), [])
        found += own
        waiting += own
    return found


def write_figures(path: Path, figures: Mapping[str, object]) -> None:
    """Write figures as JSON, whole or not at all: a process that is killed while writing leaves the old file."""
    half = path.with_name(f".{path.name}.half")
    half.write_text(json.dumps(figures, indent=1, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
    half.replace(path)


def read_figures(path: Path) -> dict[str, object]:
    """What `write_figures` wrote; empty if there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def markdown_tables(text: str) -> list[dict[str, str]]:
    """The rows of all Markdown tables in a text, each keyed by its table's header."""
    rows: list[dict[str, str]] = []
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            head = []
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not head:
            head = cells
        elif not set(line) <= set("|-: "):
            rows.append(dict(zip(head, cells, strict=False)))
    return rows
