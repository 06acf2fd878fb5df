"""Runs where the surroundings are odd: limits, encodings, homes, threads; each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles.tiny import tiny_bundle
from tests.conftest import write_pyramid
from tests.stand_ins import MPP, paint

TIMEOUT = 240
MAIN = "from wsi_edt.cli.main import main; main()"
NAME = "µ é 😀.tif"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide, a model, and the result of a run to compare with."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "slides").mkdir()
    write_pyramid(
        folder / "slides" / NAME, paint(3, width=400, height=300).pixels, compression="jpeg", mpp=MPP
    )
    tiny_bundle(folder / "tiny", mpp=MPP)
    done = run(folder, "plain")
    assert done.returncode == 0, done.stderr
    assert cells(folder, "plain")
    return folder


def command(place: Path, out: str, *more: str) -> list[str]:
    words = ["run", str(place / "slides"), "--out", str(place / out), "--model", str(place / "tiny")]
    options = ["--tile-px", "128", "--precision", "fp32", "--runtime", "torch", "--workers", "1"]
    return [*words, *options, *more]


def run(
    place: Path, out: str, *, environment: dict[str, str | None] | None = None, shell: str = "exec"
) -> subprocess.CompletedProcess[str]:
    """The command there; an environment's None takes a variable away."""
    merged = {**os.environ, "XDG_CACHE_HOME": str(place / "cache"), **(environment or {})}
    return subprocess.run(
        ["bash", "-c", f'{shell} "$@"', "bash", sys.executable, "-c", MAIN, *command(place, out)],
        env={name: value for name, value in merged.items() if value is not None},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        cwd=Path(__file__).parents[2],
    )


def cells(place: Path, out: str) -> bytes:
    return (place / out / NAME / "cells.geojson").read_bytes()


@pytest.mark.parametrize(
    ("name", "environment", "shell"),
    [
        (
            "odd everywhere",
            {
                "PYTHONIOENCODING": "ascii",
                "LC_ALL": "C",
                "HOME": "/nonexistent",
                "XDG_CACHE_HOME": "/proc/nowhere",
                "TMPDIR": "/nonexistent",
                "OMP_NUM_THREADS": "64",
                "MKL_NUM_THREADS": "abc",
                "http_proxy": "http://127.0.0.1:9",
                "ALL_PROXY": "socks5://127.0.0.1:9",
            },
            "ulimit -n 64; exec",
        ),
        (
            "asserts off, deaf and dumb",
            {"PYTHONOPTIMIZE": "1", "OMP_NUM_THREADS": "0", "KMP_AFFINITY": "disabled"},
            "umask 077; exec <&- >&-",
        ),
    ],
)
def test_the_cells_are_the_same(
    place: Path, name: str, environment: dict[str, str | None], shell: str
) -> None:
    done = run(place, name, environment=environment, shell=shell)
    assert done.returncode in (0, 141), done.stderr  # 141: standard output was closed
    assert "Traceback" not in done.stderr
    assert cells(place, name) == cells(place, "plain")


@pytest.mark.parametrize(
    ("environment", "shell", "says"),
    [
        ({}, "ulimit -n 40; exec", "only 40 files may be open at a time, where 60 are needed; raise the limit"),
        ({"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, "exec", "names of files in ascii here"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_sentence(
    place: Path, environment: dict[str, str | None], shell: str, says: str
) -> None:
    done = run(place, "refused", environment=environment, shell=shell)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
