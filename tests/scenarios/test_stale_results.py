"""Slides that change between two runs of one command, and results that come to harm: nothing stale is kept in silence."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.bundles.tiny import tiny_bundle
from tests.stand_ins import MPP, paint

MAIN = "from wsi_edt.cli.main import main; main()"
NAMES = ("growing.tif", "swapped.tif", "harmed.tif", "edited.tif", "same.tif")
FIRST_MIB = 1 << 20


def run(place: Path, out: str, *more: str) -> subprocess.CompletedProcess[str]:
    words = ["run", str(place / "slides"), "--out", str(place / out), "--model", str(place / "tiny"), *more]
    options = ["--tile-px", "256", "--precision", "fp32", "--runtime", "torch", "--workers", "1"]
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words, *options],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=Path(__file__).parents[2],
    )


def rows(place: Path, out: str) -> dict[str, dict[str, str]]:
    with (place / out / "summary.csv").open(newline="") as file:
        return {row["slide"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a first run has seen: a file whose end is still to be copied, and four more."""
    folder = tmp_path_factory.mktemp("stale")
    (folder / "slides").mkdir()
    tiny_bundle(folder / "tiny", mpp=MPP)
    for seed, name in enumerate(NAMES):
        pixels = paint(seed, width=1000, height=500).pixels
        per_cm = 10_000 / MPP
        tifffile.imwrite(
            folder / "slides" / name,
            pixels,
            tile=(256, 256),
            resolution=(per_cm, per_cm),
            resolutionunit="CENTIMETER",
        )
    (folder / "whole").mkdir()
    growing = (folder / "slides/growing.tif").read_bytes()
    (folder / "whole/growing.tif").write_bytes(growing)
    assert len(growing) > 1.5 * FIRST_MIB
    copied = len(growing) * 8 // 10
    (folder / "slides/growing.tif").write_bytes(growing[:copied] + bytes(len(growing) - copied))
    done = run(folder, "out")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_what_changed_is_said_and_what_came_to_harm_is_written_anew(place: Path) -> None:
    slides, out = place / "slides", place / "out"
    before = {name: (out / name / "cells.geojson").read_bytes() for name in NAMES}
    assert all(len(content) > 1000 for content in before.values())
    assert "of the file's bytes are zeros" in (out / "growing.tif/ki67.json").read_text()
    assert "zeros in the file" in rows(place, "out")["growing.tif"]["quality"]
    assert "zeros in the file" in (out / "report.html").read_text()
    assert "zeros" not in rows(place, "out")["same.tif"]["quality"]

    size = (slides / "growing.tif").stat().st_size
    (slides / "growing.tif").write_bytes((place / "whole/growing.tif").read_bytes()[:size])
    swapped = bytearray((slides / "swapped.tif").read_bytes())
    swapped[FIRST_MIB:] = np.asarray(swapped[FIRST_MIB:], np.uint8)[::-1].tobytes()
    (slides / "swapped.tif").write_bytes(swapped)
    os.utime(slides / "same.tif")  # as a copy has another time
    (out / "harmed.tif/cells.geojson").write_bytes(before["harmed.tif"][:100])
    (out / "edited.tif/cells.geojson").write_bytes(before["edited.tif"] + b"\n")

    done = run(place, "out")
    assert done.returncode == 1, done.stderr
    found = rows(place, "out")
    for name in ("growing.tif", "swapped.tif"):
        assert found[name]["status"] == "failed"
        assert "isn't the file that its results" in found[name]["error"]
        assert "--overwrite" in found[name]["error"]
    assert {found[name]["status"] for name in ("harmed.tif", "edited.tif", "same.tif")} <= {
        "done",
        "not assessable",
    }
    for name in ("harmed.tif", "edited.tif", "same.tif"):
        assert (out / name / "cells.geojson").read_bytes() == before[name]
    assert (out / "edited.tif/cells.changed.geojson").read_bytes() == before["edited.tif"] + b"\n"
    assert not (out / "same.tif/cells.changed.geojson").exists()
    said = " ".join((done.stdout + done.stderr).split())
    assert "edited.tif: cells.geojson changed since the run" in said

    assert run(place, "out", "--overwrite").returncode == 0
    assert run(place, "fresh").returncode == 0
    for name in NAMES:
        anew = (out / name / "cells.geojson").read_bytes()
        assert anew == (place / "fresh" / name / "cells.geojson").read_bytes()
        assert (anew == before[name]) is (name not in ("growing.tif", "swapped.tif"))
    assert "zeros" not in (out / "growing.tif/ki67.json").read_text()
