"""`wsi-edt export`: what it prints, its exit codes, and that it loads no network."""

from __future__ import annotations

import csv
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run.test_batch import run_all
from tests.stand_ins import paint, write_slide
from wsi_edt.cli.export import FORMATS
from wsi_edt.cli.main import run_command
from wsi_edt.results import names
from wsi_edt.results.exports import exports
from wsi_edt.results.outputs import OutputOptions


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_slide(tmp_path / "slides/a.png", paint(1, width=340, height=60))
    run_all(tmp_path / "slides", tmp_path / "out")
    return tmp_path / "out"


def test_the_formats_are_those_that_there_are() -> None:
    assert set(FORMATS) == set(exports(OutputOptions()))


def test_what_it_says(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["export", str(results), "--to", "csv"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    cells = len((results / "a.png/cells.csv").read_text().splitlines()) - 1
    assert first == f"{results / 'a.png/cells.csv'}: {cells} cells"
    assert second == "1 slide"


def test_wrong_usage(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["--to", "excel"], "'excel' is not one of"),
        (["--to", "csv", "--gzip"], "Error: --to csv has no --gzip; leave it out\n"),
        (["--to", "csv", "--no-gzip"], "Error: --to csv has no --no-gzip; leave it out\n"),
        ([], "Missing option '--to'"),
    ):
        assert run_command(["export", str(results), *words]) == 2
        assert said in capsys.readouterr().err
    assert run_command(["export", str(results / "none"), "--to", "csv"]) == 2


def test_a_slide_that_fails_is_a_line_and_unfinished_ones_are_named(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(results / "a.png", results / "b.png")
    for shard in (results / "b.png" / names.STORE / "shards").glob("*/c"):
        shutil.rmtree(shard)
    assert run_command(["export", str(results), "--to", "csv"]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "2 slides, 1 failed"
    (line,) = captured.err.splitlines()
    assert line.startswith("Error: b.png: ") and str(results / "b.png") in line
    for folder in ("a.png", "b.png"):
        shutil.rmtree(results / folder / names.STORE / "shards")
        path = results / folder / names.STORE / "zarr.json"
        path.write_text(path.read_text().replace('"finished": {', '"unfinished": {'))
    assert run_command(["export", str(results), "--to", "csv"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Left out, as not finished: a.png, b.png",
        f"Error: {results} has no finished slide; give the command of the run again, which computes nothing that is "
        "there",
    ]


@pytest.fixture
def with_a_failed_one(tmp_path: Path) -> Path:
    """Results of a slide that is fine and of one that isn't."""
    write_slide(tmp_path / "slides/a.png", paint(1, width=340, height=60))
    (tmp_path / "slides/bad.png").write_bytes(b"")
    run_all(tmp_path / "slides", tmp_path / "out")
    return tmp_path / "out"


def test_slides_that_failed_in_their_run_are_named(
    with_a_failed_one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = with_a_failed_one
    with (results / names.SUMMARY).open(encoding="utf-8", newline="") as file:
        (reason,) = (row["error"] for row in csv.DictReader(file) if row["slide"] == "bad.png")
    assert "0 bytes" in reason
    capsys.readouterr()
    assert run_command(["export", str(results), "--to", "csv"]) == 0
    assert capsys.readouterr().err == f"Left out, as failed in its run: bad.png ({reason})\n"
    for command in (["export", "--to", "csv"], ["report"]):
        assert run_command([command[0], str(results / "bad.png"), *command[1:]]) == 1
        assert f"Error: {results / 'bad.png'} failed in its run: {reason}\n" in capsys.readouterr().err
    shutil.rmtree(results / "a.png")
    assert run_command(["export", str(results), "--to", "csv"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"Left out, as failed in its run: bad.png ({reason})",
        f"Error: {results} has no finished slide; give the command of the run again, which computes nothing that is "
        "there",
    ]


def test_where_nothing_is_finished_the_slide_is_named_and_a_run_that_goes_on(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = results / "a.png" / names.STORE / "zarr.json"
    path.write_text(path.read_text().replace('"finished": {', '"unfinished": {'))
    capsys.readouterr()
    assert run_command(["export", str(results / "a.png"), "--to", "csv"]) == 1
    left_out, error = capsys.readouterr().err.splitlines()
    assert left_out == "Left out, as not finished: a.png" and "has no finished slide; " in error
    host = platform.node()
    # A process that lives, and one that can't.
    for pid, goes_on in ((os.getppid(), True), (2**22 + 1, False)):
        (results / names.LOCK).write_text(f"{pid} on {host}\n")
        for folder in (results, results / "a.png"):
            assert run_command(["export", str(folder), "--to", "csv"]) == 1
            said = (
                f"has no finished slide yet: a run is going on there (process {pid} on {host}); wait for it"
            )
            assert (said in capsys.readouterr().err) == goes_on
    (results / names.LOCK).write_text(f"{os.getppid()} on {host}\n")
    shutil.rmtree(results / "a.png")  # as before the first slide's store
    (results / names.SUMMARY).unlink()
    assert run_command(["export", str(results), "--to", "csv"]) == 1
    assert "a run is going on there" in capsys.readouterr().err


def test_no_network_is_loaded(results: Path) -> None:
    code = (
        "import sys\nfrom wsi_edt.cli.main import run_command\n"
        "codes = [run_command(['export', sys.argv[1], '--to', form]) for form in sys.argv[2:]]\n"
        "print(codes, [name for name in ('torch', 'openvino', 'distributed') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(results), *FORMATS], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0] []", done.stderr
