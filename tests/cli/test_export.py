"""`wsi-edt export`: what it prints, its exit codes, and that it loads no network."""

from __future__ import annotations

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
        f"Error: {results} has no finished slide; give the command of the run again",
    ]


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
