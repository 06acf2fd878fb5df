"""Folders as laboratories have them: no slide is missing from a run without a word; a refused run leaves nothing."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

# What no permission keeps root from: a folder that can't be read, and one whose disk fails while it is listed.
MAIN = """
import os
real = os.scandir

class Failing:
    def __init__(self, entries):
        self.entries, self.left = entries, 1
    def __enter__(self):
        return self
    def __exit__(self, *_):
        self.entries.close()
    def close(self):
        self.entries.close()
    def __iter__(self):
        return self
    def __next__(self):
        if not self.left:
            raise OSError(5, "Input/output error")
        self.left -= 1
        return next(self.entries)

def scandir(path="."):
    if str(path).endswith("locked"):
        raise PermissionError(13, "Permission denied", str(path))
    return Failing(real(path)) if str(path).endswith("failing") else real(path)

if __name__ == "__main__":
    os.scandir = scandir
    from wsi_edt.cli.main import main
    main()
"""
OPENED = ("a.svs", "b.qptiff", "c.btf", "d.tf8", "e.tf2", "f.ptif", "stale/g.tif", "results/case 7/h.tif")


def run(given: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The command, with slides of glass, which no network has to look at."""
    words = ["run", str(given), "--out", str(out), *more]
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=Path(__file__).parents[2],
    )


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        return {row["slide"]: row for row in csv.DictReader(file)}


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def write_glass(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((300, 300, 3), 240, np.uint8)
    tifffile.imwrite(path, pixels, tile=(256, 256), resolution=(40_000, 40_000), resolutionunit="CENTIMETER")


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laboratory") / "slides"
    for name in OPENED:
        write_glass(folder / name)
    (folder / "stale/.wsi-edt.lock").write_text("4711\n")  # of a run that was refused
    done = run(folder / "a.svs", folder / "results")  # of an earlier run, with a slide laid among them
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def done(slides: Path) -> subprocess.CompletedProcess[str]:
    """A run of that folder with all that may go wrong in it."""
    for name in ("x.jpg", "y.jpg", "z.xml", "._a.svs", ".hidden.svs"):
        (slides / name).write_bytes(b"no slide")
    for name in ("locked/l.svs", "failing/m.svs", "failing/n.svs"):
        write_glass(slides / name)
    (slides / "archive").symlink_to("/mnt/that is not mounted")
    (slides / "again.svs").symlink_to("a.svs")
    os.mkfifo(slides / "pipe.svs")
    return run(slides, slides.with_name("out"))


def test_a_lock_makes_no_results(slides: Path, done: subprocess.CompletedProcess[str]) -> None:
    assert rows(slides.with_name("out"))["stale/g.tif"]["status"] == "not assessable"


def test_all_that_opens_is_taken(slides: Path, done: subprocess.CompletedProcess[str]) -> None:
    found = rows(slides.with_name("out"))
    for name in OPENED:
        assert name in found, name
        assert found[name]["status"] == "not assessable", found[name]
    assert not any(name.endswith(".png") for name in found)


def test_what_cannot_be_looked_into_has_its_row_and_the_run_exits_1(
    slides: Path, done: subprocess.CompletedProcess[str]
) -> None:
    found = rows(slides.with_name("out"))
    failed = {name: row["error"] for name, row in found.items() if row["status"] == "failed"}
    assert set(failed) == {"locked/", "failing/", "archive/"}
    assert "locked can't be read (Permission denied): what is in it is left out" in failed["locked/"]
    assert "can't be read to its end (Input/output error)" in failed["failing/"]
    assert "is a link to /mnt/that is not mounted, which isn't there" in failed["archive/"]
    assert len({"failing/m.svs", "failing/n.svs"} & set(found)) == 1, "what was listed is taken"
    assert done.returncode == 1
    assert "3 failed" in done.stdout
    report = (slides.with_name("out") / "report.html").read_text(encoding="utf-8")
    assert "that is not mounted" in report


def test_what_was_passed_over_is_counted_and_named(done: subprocess.CompletedProcess[str]) -> None:
    said = done.stdout + done.stderr
    assert "3 files passed over: .jpg (2), .xml" in said
    assert "under another name: 1 (again.svs, which is a.svs)" in said
    assert "hidden: 1 (.hidden.svs)" in said
    assert "no file: 1 (pipe.svs, a pipe)" in said
    assert "results of a run, whose files are no slides: 1 (results/)" in said


def test_slides_in_the_results_folder_are_named(slides: Path, done: subprocess.CompletedProcess[str]) -> None:
    out = slides / "results"
    seen = run(slides, out, "--dry-run")
    assert seen.returncode == 1
    assert "locked can't be read (Permission denied)" in seen.stdout
    assert f"in --out, which isn't searched for slides: 1 ({out / 'case 7/h.tif'})" in seen.stderr


def test_a_run_that_is_refused_beside_other_results_leaves_nothing(slides: Path) -> None:
    results = tree(slides / "results")
    assert not any("lock" in name for name in results)
    refused = run(slides / "a.svs", slides / "results", "--threshold", "0.9")
    assert refused.returncode == 2
    assert "has results of other settings" in refused.stderr
    assert tree(slides / "results") == results


@pytest.mark.parametrize("given", ["slides", "slides/a.svs", "notes.txt"])
def test_a_refused_run_leaves_nothing(tmp_path: Path, given: str) -> None:
    """Neither in the slides' own folder nor, for want of a model, where no folder was."""
    write_glass(tmp_path / "slides/a.svs")
    (tmp_path / "notes.txt").write_text("no slide")
    before = tree(tmp_path)
    out, more = (
        (tmp_path / "slides", []) if "slides" in given else (tmp_path / "deep/out", ["--model", "no model"])
    )
    refused = run(tmp_path / given, out, *more)
    assert refused.returncode != 0
    assert "Error" in refused.stderr
    assert tree(tmp_path) == before
