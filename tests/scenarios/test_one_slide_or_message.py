"""No single file and no message ends a batch: its row says why, the others go on, and the same command continues."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles.tiny import tiny_bundle
from tests.stand_ins import MPP, paint, write_slide

MAIN = "from wsi_edt.cli.main import main; main()"
GLASS = "not assessable"
FULL = Path("/dev/full")
LATIN_1 = b"caf\xe9.png"  # as old Windows and Mac shares give names

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="names of bytes that aren't UTF-8 are Linux's"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, a slide, and one without tissue, which needs no workers and is ready sooner."""
    folder = tmp_path_factory.mktemp("place")
    tiny_bundle(folder / "tiny", mpp=MPP)
    write_slide(folder / "cells.png", paint(0, width=240, height=100))
    write_slide(folder / "glass.png", paint(0, width=240, height=100, tissue=False))
    return folder


def slides(made_of: Path, tmp_path: Path, folder: bytes, *names: bytes) -> Path:
    """A folder with a slide under these names."""
    made = tmp_path / os.fsdecode(folder)
    made.mkdir()
    for name in names:
        shutil.copy(made_of, made / os.fsdecode(name))
    return made


def run(
    place: Path, given: Path, out: Path, *, shell: str = 'exec "$@"', encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    words = ["run", str(given), "--out", str(out), "--model", str(place / "tiny"), "--mpp", str(MPP)]
    options = ["--tile-px", "128", "--precision", "fp32", "--runtime", "torch", "--workers", "1"]
    return subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-c", MAIN, *words, *options],
        env={**os.environ, "PYTHONIOENCODING": encoding, "XDG_CACHE_HOME": str(place / "cache")},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=240,
        cwd=Path(__file__).parents[2],
    )


def statuses(out: Path) -> dict[str, tuple[str, str]]:
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        return {row["slide"]: (row["status"], row["error"]) for row in csv.DictReader(file)}


def test_names_that_are_no_text(place: Path, tmp_path: Path) -> None:
    """Of a slide, of the folder above the slides, and of the results."""
    given = slides(place / "cells.png", tmp_path, b"d\xe9p\xf4t", b"a.png", LATIN_1)
    out = tmp_path / os.fsdecode(b"r\xe9sultats")
    done = run(place, given, out)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert {name: status for name, (status, _) in statuses(out).items()} == {
        "a.png": "done",
        r"caf\xe9.png": "done",
    }
    record = json.loads((out / "run.json").read_bytes().decode("utf-8"))
    assert record["command"][2].endswith(r"d\xe9p\xf4t")
    assert r"caf\xe9.png" in (out / "report.html").read_text("utf-8")
    result = json.loads((out / r"caf\xe9.png" / "ki67.json").read_bytes().decode("utf-8"))
    assert result["slide"] == r"caf\xe9.png"
    assert r"caf\xe9.png" in (out / r"caf\xe9.png" / "report.html").read_text("utf-8")


def test_slides_that_lead_nowhere_or_have_no_place_for_results(place: Path, tmp_path: Path) -> None:
    given = slides(
        place / "glass.png", tmp_path, b"slides", b"a.png", b"harmed.png", b"placeless.png", LATIN_1
    )
    (given / "loop.tif").symlink_to("loop.tif")
    (given / os.fsdecode(b"br\xfbl\xe9.svs")).write_bytes(b"no slide")
    out = tmp_path / "out"
    store = out / "harmed.png" / "store.zarr"
    store.mkdir(parents=True)
    (store / "zarr.json").write_text('{"attributes": {"format": -7, "cells": 0}}')
    (out / "placeless.png").write_text("a file, where the folder of its results should be")
    done = run(place, given, out)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    found = statuses(out)
    assert [name for name, (status, _) in found.items() if status == GLASS] == ["a.png", r"caf\xe9.png"]
    assert "symbolic links" in found["loop.tif"][1]
    assert "store.zarr was written by another version" in found["harmed.png"][1]
    assert "placeless.png" in found["placeless.png"][1]
    assert "can't be written" in found["placeless.png"][1] or "can't be removed" in found["placeless.png"][1]
    assert found[r"br\xfbl\xe9.svs"][1].startswith(r"br\xfbl\xe9.svs ")
    assert "SlideError" in (out / r"br\xfbl\xe9.svs" / "error.log").read_text("utf-8")

    shutil.rmtree(out / "harmed.png")
    (out / "placeless.png").unlink()
    (given / "loop.tif").unlink()
    (given / os.fsdecode(b"br\xfbl\xe9.svs")).unlink()
    done = run(place, given, out)
    assert done.returncode == 0, done.stderr
    assert "4 slides, 2 of them finished earlier" in done.stdout


@pytest.mark.parametrize(
    ("shell", "encoding", "says"),
    [
        ('exec "$@" >/dev/full', "utf-8", "standard output can't be written: No space left on device"),
        ('exec "$@"', "latin-1:strict", ""),
    ],
    ids=["output full", "letters that it lacks"],
)
def test_what_cannot_be_printed(place: Path, tmp_path: Path, shell: str, encoding: str, says: str) -> None:
    if "full" in shell and not FULL.exists():
        pytest.skip(f"no {FULL}")
    given = slides(place / "glass.png", tmp_path, b"slides", "Łódź.png".encode(), b"z.png")
    out = tmp_path / "out"
    done = run(place, given, out, shell=shell, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert {name: status for name, (status, _) in statuses(out).items()} == {
        "z.png": GLASS,
        "Łódź.png": GLASS,
    }
    assert (out / "run.json").is_file()
