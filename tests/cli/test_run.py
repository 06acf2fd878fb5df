"""`wsi-edt run` as people give it."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.bundles.tiny import tiny_bundle
from tests.qupath.qupath_contract import check_geojson
from tests.stand_ins import paint, write_slide
from wsi_edt import run as running
from wsi_edt.bundles import DEFAULT_MODEL
from wsi_edt.cli.main import run_command
from wsi_edt.cli.run_display import LineDisplay
from wsi_edt.detection.compute import ComputeOptions
from wsi_edt.errors import OutputError
from wsi_edt.ki67 import Conventions
from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.profiles import PROFILES
from wsi_edt.results.lock import results_lock
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.run.batch import RunResult
from wsi_edt.run.options import RunOptions


def test_a_folder_with_a_bad_slide_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slides, out = tmp_path / "slides", tmp_path / "slides/results"
    model = tiny_bundle(tmp_path / "tiny")
    write_slide(slides / "good.png", paint(2, width=240, height=100))
    (slides / "bad.svs").write_bytes(b"II*\0" + b"\xff" * 100)
    command = ["run", str(slides), "--out", str(out), "--model", str(model.directory), "--mpp", "0.5"]
    command += ["--tile-px", "96", "--device", "cpu", "--threads", "1", "--origin", "openslide", "--gzip"]

    assert run_command(command) == 1
    shown = capsys.readouterr()
    assert "bad.svs: failed: " in shown.out
    assert "2 slides, 1 failed. Results: " in shown.out
    assert "1 worker with 1 thread each" in shown.out or "workers with 1 thread each" in shown.out
    with (out / "summary.csv").open() as file:
        rows = {row["slide"]: row for row in csv.DictReader(file)}
    assert rows["good.png"]["status"] == "done"
    assert rows["bad.svs"]["status"] == "failed"
    assert "bad.svs" in rows["bad.svs"]["error"]
    assert len(check_geojson(out / "good.png/cells.geojson.gz")) == int(rows["good.png"]["total"]) > 0
    record = json.loads((out / "run.json").read_text())
    assert record["configuration"]["model_sha256"] == model.sha256

    (slides / "bad.svs").unlink()
    assert run_command(command) == 0, (
        "the results in the slides' folder aren't slides, and the good one is finished"
    )
    assert "1 of them finished earlier" in capsys.readouterr().out

    assert run_command([*command, "--threshold", "0.9"]) == 2
    assert f"--threshold {model.decode.threshold:g} there, 0.9 now; give" in capsys.readouterr().err


def test_every_option_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def run_slides(inputs: Any, out: Any, options: Any, **others: Any) -> RunResult:
        given[:] = [inputs, out, options]
        return RunResult(())

    monkeypatch.setattr(running, "run_slides", run_slides)
    words = (
        "run a b --out o --model m --mpp 0.3 --no-tissue-mask --threshold 0.4 --tile-px 512 --batch-size 7"
    )
    words += " --series 2 --allow-coarse --icc"
    words += " --device cuda --runtime torch --precision bf16"
    words += " --workers 3 --devices 0,2 --threads 5 --scheduler tcp://s:1 --geometry circle"
    words += " --origin openslide --gzip --overwrite --roi drawn"
    words += " --profile net --hotspots 2 --parquet --pdf --keep-maps"
    assert run_command(words.split()) == 0
    options = RunOptions(
        model="m",
        fallback_mpp=0.3,
        series=2,
        icc=True,
        allow_coarse=True,
        tissue_mask=False,
        roi=Path("drawn"),
        tile_px=512,
        batch_size=7,
        threshold=0.4,
        overwrite=True,
        compute=ComputeOptions(device="cuda", runtime="torch", precision="bf16", threads=5),
        output=OutputOptions(geometry="circle", origin="openslide", gzip=True, parquet=True, pdf=True),
        conventions=Conventions(profile=PROFILES["net"], hotspots=HotspotRule(count=2)),
        keep_maps=True,
        workers=3,
        devices=(0, 2),
        scheduler="tcp://s:1",
    )
    assert given == [("a", "b"), Path("o"), options]
    default = RunOptions()
    for kind, chosen in (
        (RunOptions, options),
        (ComputeOptions, options.compute),
        (OutputOptions, options.output),
    ):
        unlike = default if kind is RunOptions else getattr(default, kind.__name__[:-7].lower())
        for field in fields(kind):
            assert getattr(chosen, field.name) != getattr(unlike, field.name), field.name
    assert run_command(["run", "a", "--out", "o"]) == 0
    assert given[2] == default, "the command's defaults are Python's"
    assert run_command(["run", "a", "--out", "o", "--series", "all"]) == 0
    assert given[2] == RunOptions(series="all")
    for wrong in ("0", "-1", "1.5", "every"):
        assert run_command(["run", "a", "--out", "o", "--series", wrong]) == 2


def test_a_run_of_regions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slide, out, rois = tmp_path / "slides/a.png", tmp_path / "out", tmp_path / "rois"
    write_slide(slide, paint(2, width=240, height=100))
    write_slide(tmp_path / "slides/b.png", paint(3, width=240, height=100))
    model = tiny_bundle(tmp_path / "tiny")
    command = ["run", str(tmp_path / "slides"), "--out", str(out), "--model", str(model.directory)]
    command += ["--mpp", "0.5", "--tile-px", "96", "--device", "cpu", "--threads", "1", "--roi"]
    for path, says in (("", "an empty text doesn't name a file or folder"), (str(rois), "doesn't exist")):
        assert run_command([*command, path]) == 2
        assert says in capsys.readouterr().err

    corners = [[10, 10], [70, 10], [70, 60], [10, 60], [10, 10]]
    rois.mkdir()
    for name in ("a.geojson", "c.geojson"):
        (rois / name).write_text(json.dumps({"type": "Polygon", "coordinates": [corners]}))
    assert run_command([*command, str(rois / "a.geojson")]) == 2
    assert "is one file of regions for 2 slides" in capsys.readouterr().err
    assert run_command([*command, str(rois), "--dry-run"]) == 1
    shown = capsys.readouterr()
    assert (
        "1 region alone" in shown.out and f"would fail: has no regions in {rois}; put b.geojson" in shown.out
    )
    assert f"Note: 1 file in {rois} belongs to no slide of this run: c.geojson." in shown.err
    assert not out.exists()

    assert run_command([*command, str(rois)]) == 1
    shown = capsys.readouterr()
    assert f"b.png: failed: b.png has no regions in {rois}" in shown.out.replace("\n", " ")
    with (out / "a.png/regions.csv").open() as file:
        assert [row["kind"] for row in csv.DictReader(file)][:2] == ["all regions", "region"]


def test_the_help_states_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    default = RunOptions()
    for option, value in (
        ("--tile-px", default.tile_px),
        ("--batch-size", default.batch_size),
        ("--device", default.compute.device),
        ("--runtime", default.compute.runtime),
        ("--precision", default.compute.precision),
        ("--geometry", default.output.geometry),
        ("--origin", default.output.origin),
    ):
        described = shown.split(f" {option} ", 1)[1].split(" --")[0]
        assert f"[default: {value}]" in described, option
    assert default.model == DEFAULT_MODEL


def test_what_ends_a_run_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(tiny_bundle(tmp_path / "tiny").directory)
    slide = str(write_slide(tmp_path / "a.png", paint(0)))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")

    def ended(*arguments: str) -> tuple[int, str]:
        code = run_command(["run", *arguments, "--model", model, "--device", "cpu"])
        return code, capsys.readouterr().err

    assert ended(str(tmp_path / "empty"), "--out", str(tmp_path / "o"))[0] == 2
    assert ended(str(tmp_path / "missing"), "--out", str(tmp_path / "o"))[0] == 2
    code, sentence = ended(slide, "--out", str(tmp_path / "file/o"))
    assert code == 2
    assert "file is a file, not a folder" in sentence
    for option in (("--tile-px", "7"), ("--tile-px", "64"), ("--threshold", "2"), ("--mpp", "40")):
        code = run_command(["run", slide, "--out", str(tmp_path / "o"), "--model", model, *option])
        shown = capsys.readouterr()
        assert (code, shown.out) == (2, ""), option
        assert not (tmp_path / "o").exists()
    with results_lock(tmp_path / "o"):
        code, sentence = ended(slide, "--out", str(tmp_path / "o"))
    assert code == 1
    assert "another run is writing" in sentence
    code = run_command(["run", slide, "--out", str(tmp_path / "o"), "--model", "nonesuch"])
    assert code == 2
    assert (
        "nonesuch is neither a folder with a model.toml nor one of the shipped models"
        in capsys.readouterr().err
    )


def test_a_full_disk_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: Any, **options: Any) -> RunResult:
        raise OutputError("can't be written: No space left on device", where="x", remedy="make room there")

    monkeypatch.setattr(running, "run_slides", full)
    slide = str(write_slide(tmp_path / "a.png", paint(0)))
    assert run_command(["run", slide, "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "Error: x can't be written: No space left on device; make room there\n"
    )


@pytest.mark.parametrize(("term", "lines"), [(None, True), ("dumb", True), ("xterm", False)])
def test_a_terminal_without_cursor_codes_gets_lines(
    term: str | None, lines: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown: list[object] = []

    def run_slides(*arguments: Any, progress: Any, **others: Any) -> RunResult:
        shown.append(progress)
        return RunResult(())

    monkeypatch.setattr(running, "run_slides", run_slides)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    for name in ("TERM", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    if term:
        monkeypatch.setenv("TERM", term)
    slide = str(write_slide(tmp_path / "a.png", paint(0)))
    assert run_command(["run", slide, "--out", str(tmp_path / "o")]) == 0
    assert isinstance(shown[0], LineDisplay) is lines
    assert ("\x1b" in terminal.getvalue()) is not lines


def test_a_dry_run_lists_the_batch_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # where no run has measured a pace yet
    out = tmp_path / "out"
    model = tiny_bundle(tmp_path / "tiny")
    write_slide(tmp_path / "a [b]ä.png", paint(2, width=240, height=100))
    (tmp_path / "batch.csv").write_text("path;mpp;case;ward\na [b]ä.png;0,5;[red]K-17[/];3\nabsent.svs;;;\n")
    command = ["run", str(tmp_path / "batch.csv"), "--out", str(out), "--model", str(model.directory)]
    command += ["--tile-px", "96", "--device", "cpu", "--threads", "1", "--workers", "1"]

    assert run_command([*command, "--dry-run"]) == 1
    shown = capsys.readouterr()
    assert not out.exists()
    lines = shown.out.splitlines()
    assert lines[0].split() == ["slide", "case", "MiB", "µm/px", "mm²", "tiles", "time"]
    assert lines[1].startswith("a [b]ä.png  [red]K-17[/]"), "names are no markup"
    assert " 0.5000 " in lines[1]
    assert lines[2].startswith("absent.svs") and lines[2].endswith(
        "would fail: doesn't exist; check the path"
    )
    assert re.fullmatch(
        r"2 slides: 1 to run \(\d+ tiles?, 0\.0 mm² of tissue; time unknown until a first run here\), 1 would fail\."
        r" Nothing was computed or written\.",
        lines[3],
    )
    assert "columns that mean nothing here: ward" in shown.err

    (tmp_path / "batch.csv").write_text("path;mpp;case\na [b]ä.png;0,5;=K-17\n")
    assert run_command(command) == 0
    assert "'=K-17" in (out / "summary.csv").read_text()
    capsys.readouterr()
    assert run_command([*command, "--dry-run"]) == 0
    assert "1 slide: 0 to run, 1 finished. Nothing" in capsys.readouterr().out
    assert run_command([*command, "--dry-run", "--overwrite", "--threshold", "0.9"]) == 0
    assert "at the pace of the last run here" in capsys.readouterr().out
