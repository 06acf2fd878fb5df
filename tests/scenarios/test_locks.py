"""Runs into one folder on disks with odd locks, or none: an interposed flock stands in for such a disk."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from tests.bundles.tiny import tiny_bundle
from tests.stand_ins import MPP, paint, write_slide

TIMEOUT = 120
# A lease's heartbeat, quicker than it is; version 0.1.0 has none.
MAIN = """
from contextlib import suppress
with suppress(ImportError):
    from wsi_edt.results import lease
    lease.BEAT_S, lease.WATCH_S = 0.2, 4.0
from wsi_edt.cli.main import main
main()
"""
FLOCK = """
#include <errno.h>
#include <stdlib.h>
int flock(int file, int operation) {
    errno = atoi(getenv("FLOCK_ERRNO"));
    return -1;
}
"""
LOCK, LEASE = ".wsi-edt.lock", ".wsi-edt.lease"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, a slide that takes some seconds, a slide of glass that takes none, and a C library without flock."""
    folder = tmp_path_factory.mktemp("place")
    tiny_bundle(folder / "tiny", mpp=MPP)
    write_slide(folder / "long.png", paint(3, width=1800, height=900))
    Image.new("RGB", (64, 64), (243, 243, 243)).save(folder / "glass.png")
    return folder


@pytest.fixture(scope="module")
def no_flock(place: Path) -> Path:
    """A library whose flock fails with the error of $FLOCK_ERRNO."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    (place / "flock.c").write_text(FLOCK)
    library = place / "flock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, place / "flock.c"], check=True)
    return library


def started(place: Path, slide: str, *, flock: tuple[Path, int] | None = None) -> subprocess.Popen[str]:
    """A run of a slide into `out`, in a session of its own."""
    options = ["--tile-px", "512", "--precision", "fp32", "--runtime", "torch", "--workers", "1"]
    command = ["run", str(place / slide), "--out", str(place / "out"), "--model", str(place / "tiny")]
    environment = dict(os.environ)
    if flock is not None:
        environment |= {"LD_PRELOAD": str(flock[0]), "FLOCK_ERRNO": str(flock[1])}
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *command, "--mpp", str(MPP), *options],
        env=environment | {"XDG_CACHE_HOME": str(place / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )


@contextmanager
def running(place: Path, *, flock: tuple[Path, int] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A run of the long slide that has begun to compute; what is left of it is killed at the end."""
    shutil.rmtree(place / "out", ignore_errors=True)
    with started(place, "long.png", flock=flock) as process:
        try:
            wait_for((place / "out/long.png/store.zarr").exists, process)
            yield process
        finally:
            if process.poll() is None:
                kill(process)


def wait_for(there: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + TIMEOUT
    while not there():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """A run's exit code, and what it said."""
    with process:
        said, errors = process.communicate(timeout=TIMEOUT)
    assert "Traceback" not in errors
    return process.returncode, said, errors


def test_without_flock_one_run_at_a_time_and_the_next_after_a_kill(place: Path, no_flock: Path) -> None:
    flock = (no_flock, errno.ENOSYS)
    with running(place, flock=flock) as first:
        second = ended(started(place, "glass.png", flock=flock))
        kill(first)
    code, said, errors = ended(started(place, "glass.png", flock=flock))
    assert code == 0, errors
    assert second[0] == 1
    assert f"another run is writing to {place / 'out'} (process {first.pid} on " in second[2]
    assert f"remove {place / 'out' / LEASE}" in second[2]
    assert f"the disk of {place / 'out'} has no locks: {LEASE} there keeps other runs out" in said
    assert not (place / "out" / LEASE).exists()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_without_flock_a_lock_file_of_a_dead_run_is_nobodys(place: Path, no_flock: Path, number: int) -> None:
    """As version 0.1.0 left it, with the number of a process that may be another's by now."""
    shutil.rmtree(place / "out", ignore_errors=True)
    (place / "out").mkdir()
    (place / "out" / LOCK).write_text(f"{os.getpid()}\n")
    code, _, errors = ended(started(place, "glass.png", flock=(no_flock, number)))
    assert code == 0, errors


def test_the_second_run_is_told_which_file_and_which_process(place: Path) -> None:
    with running(place) as first:
        code, _, errors = ended(started(place, "glass.png"))
    assert code == 1
    lock = place / "out" / LOCK
    assert f"(process {first.pid} on " in errors
    assert f"wait for it, or choose another --out; if no machine has such a run, remove {lock}" in errors


def test_a_folder_that_is_taken_away_ends_its_run(place: Path) -> None:
    with running(place) as first:
        (place / "out").rename(place / "taken away")
        code, _, errors = ended(first)
    assert code == 1
    assert f"{place / 'out'} was removed, moved or emptied while this run was writing there" in errors
    shutil.rmtree(place / "taken away")
