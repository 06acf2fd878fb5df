"""Files and folders that are named, but whose permissions keep a run out; names that would steer a terminal."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.bundles.tiny import tiny_bundle
from tests.stand_ins import MPP, paint, write_slide

MAIN = "from wsi_edt.cli.main import main; main()"
RED = "red\x1b[31m.png"
NO_ROOT = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
FOLLOWS_PERMISSIONS = ["setpriv", *NO_ROOT] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return _ended([*FOLLOWS_PERMISSIONS, sys.executable, "-c", MAIN, *words])


def _ended(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, capture_output=True, text=True, errors="replace", timeout=240, cwd=Path(__file__).parents[2]
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two slides of glass, and three things without permissions."""
    folder = tmp_path_factory.mktemp("shut")
    for name in ("ok.png", RED):
        write_slide(folder / name, paint(0, tissue=False))
    shutil.copy(folder / "ok.png", folder / "shut.tif")
    (folder / "shut").mkdir()
    shutil.copy(folder / "ok.png", folder / "shut/in.png")
    tiny_bundle(folder / "tiny", mpp=MPP)
    if sys.platform == "win32" or (FOLLOWS_PERMISSIONS and shutil.which("setpriv") is None):
        pytest.skip("permissions can't be made to count here")
    for name in ("shut.tif", "shut"):
        (folder / name).chmod(0)
    for name, readable in (("ok.png", True), ("shut.tif", False)):
        if (_ended([*FOLLOWS_PERMISSIONS, "cat", str(folder / name)]).returncode == 0) is not readable:
            pytest.skip("permissions can't be made to count here")
    yield folder
    (folder / "shut").chmod(0o700)


def words_of(place: Path) -> list[str]:
    names = ("ok.png", RED, "shut.tif", "shut", "shut/in.png")
    return [*(str(place / name) for name in names), "--mpp", str(MPP), "--model", str(place / "tiny")]


def test_each_is_a_row_and_the_others_run(place: Path) -> None:
    done = command("run", *words_of(place), "--out", str(place / "out"))
    assert done.returncode == 1, done.stderr
    with (place / "out/summary.csv").open(newline="") as file:
        rows = {row["slide"]: row for row in csv.DictReader(file)}
    assert {name: row["status"] for name, row in rows.items()} == {
        "ok.png": "not assessable",
        RED: "not assessable",
        "shut.tif": "failed",
        "shut/": "failed",
        "in.png": "failed",
    }
    for name in ("shut.tif", "shut/", "in.png"):
        assert "can't be read (Permission denied)" in rows[name]["error"]
    assert "\x1b" not in done.stdout + done.stderr
    assert "red\\x1b[31m.png: not assessable" in done.stdout


def test_a_dry_run_says_the_same(place: Path) -> None:
    done = command("run", *words_of(place), "--out", str(place / "nowhere"), "--dry-run")
    assert done.returncode == 1, done.stderr
    assert "5 slides: 2 to run" in done.stdout
    assert "3 would fail" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert lines["ok.png"].index("0.5000") == lines["red\\x1b[31m.png"].index("0.5000")


@pytest.mark.parametrize("name", ["shut.tif", "shut/in.png"])
def test_info_is_one_sentence(place: Path, name: str) -> None:
    done = command("info", str(place / name))
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"Error: {place / name} can't be read (Permission denied); ")
    assert len(done.stderr.splitlines()) == 1
