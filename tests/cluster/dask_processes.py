"""A Dask scheduler and workers, started as a cluster's users start them; some workers are on machines unlike this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from distributed import Client

_SECONDS = 60

# Python runs it first in a worker's process, which then answers as another machine would.
_ELSEWHERE = """
import os, pathlib, platform

platform.node = lambda: {host!r}
hidden, stat = {hidden!r}, os.stat

def elsewhere(path, *arguments, **options):
    if isinstance(path, (str, os.PathLike)) and os.fspath(path) in hidden:
        raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
    return stat(path, *arguments, **options)

os.stat = elsewhere
"""


@contextmanager
def dask_scheduler(folder: Path) -> Iterator[str]:
    """The address of a scheduler."""
    with scheduler_process(folder) as (address, _):
        yield address


@contextmanager
def scheduler_process(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a scheduler, and its process."""
    file = folder / "scheduler.json"
    command = [
        sys.executable,
        "-m",
        "dask",
        "scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
    ]
    process = _started([*command, "--scheduler-file", str(file)], os.environ)
    try:
        deadline = time.monotonic() + _SECONDS
        while not (file.exists() and file.read_text().strip()):
            assert time.monotonic() < deadline, "the scheduler didn't start"
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"], process
    finally:
        process.kill()
        process.wait()


@contextmanager
def dask_workers(address: str, environments: Sequence[Mapping[str, str]]) -> Iterator[None]:
    """A worker in each of these environments, until the end of the block."""
    command = [
        sys.executable,
        "-m",
        "dask",
        "worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
        "--no-nanny",
    ]
    processes = [_started(command, os.environ | dict(environment)) for environment in environments]
    with Client(address) as client:  # type: ignore[no-untyped-call]
        try:
            client.wait_for_workers(len(processes), timeout=_SECONDS)
            yield
        finally:
            # Killed, not asked to end: Dask's command sometimes waits for ever when it is.
            for process in processes:
                process.kill()
                process.wait()
            deadline = time.monotonic() + _SECONDS
            while client.nthreads():
                assert time.monotonic() < deadline, "the scheduler doesn't notice that its workers are gone"
                time.sleep(0.1)


def another_machine(
    folder: Path, *, host: str, hidden: Sequence[Path] = (), versions: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a worker that calls its machine so, sees nothing at these paths, and has these packages."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        _ELSEWHERE.format(host=host, hidden={str(path) for path in hidden})
    )
    for package, version in (versions or {}).items():
        described = folder / f"{package}-{version}.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    return {"PYTHONPATH": str(folder)}


def _started(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
