"""The doctor's lines: what is well here, and what each defect makes of them."""

from __future__ import annotations

import errno
import os
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from tests.bundles.tiny import tiny_bundle
from tests.cluster.dask_processes import dask_scheduler, dask_workers
from wsi_edt.cli.main import run_command
from wsi_edt.doctor import Finding, Level, examine, formats, installation
from wsi_edt.doctor.formats import SAMPLES, Pixels, Sample, tried
from wsi_edt.doctor.installation import unfit
from wsi_edt.doctor.machine import Gpu, judge_disk, judge_gpus, judge_memory
from wsi_edt.errors import UsageError


def test_this_machine_is_well(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """As are those that run the tests."""
    assert run_command(["doctor", "--out", str(tmp_path / "results")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "A run works here."
    found = {line[9:30].strip(): (line[:7].strip(), line[32:]) for line in lines[:-1]}
    assert {level for level, _ in found.values()} <= {"OK", "warning"}
    assert found["Aperio SVS, JPEG 2000"] == ("OK", "opens with openslide")
    assert found["OME-TIFF pyramid"] == ("OK", "opens with tifffile")
    assert f"torch {metadata.version('torch')}" in found["packages"][1]
    assert "is complete (sha256 " in found["model"][1]
    assert "a tile ran: " in found["network"][1]
    assert not (tmp_path / "results").exists()


def test_a_problem_is_a_line_and_the_exit_code(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    damaged = tiny_bundle(tmp_path / "tiny")
    weights = damaged.weights.read_bytes()
    damaged.weights.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    (tmp_path / "file").touch()
    command = ["doctor", "--model", str(damaged.directory), "--out", str(tmp_path / "file")]
    assert run_command([*command, "--scheduler", "tcp://127.0.0.1:1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    problems = {line[9:30].strip(): line[32:] for line in lines if line.startswith("problem")}
    assert problems.keys() == {"model", "disk", "cluster"}
    assert "install the model again" in problems["model"]
    assert "is a file, not a folder; choose another --out" in problems["disk"]
    assert problems["cluster"].startswith("no Dask scheduler answers at tcp://127.0.0.1:1")
    assert lines[-1] == "A run may not work here: 3 problems."


def test_a_cluster_that_answers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = str(tiny_bundle(tmp_path / "tiny").directory)
    with dask_scheduler(tmp_path) as address, dask_workers(address, [{}]):
        assert run_command(["doctor", "--model", model, "--scheduler", address]) == 0
    first, second = (line for line in capsys.readouterr().out.splitlines() if line[9:16] == "cluster")
    assert f"1 worker at {address}, on " in first
    assert f"numpy {metadata.version('numpy')}" in first
    assert "there --runtime auto is " in second


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_each_format_is_looked_at(sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(sample, tmp_path).level is Level.OK

    def wrong_colours(path: Path, pixels: Pixels) -> None:
        sample.write(path, np.ascontiguousarray(pixels[..., ::-1]))

    def cut(path: Path, pixels: Pixels) -> None:
        sample.write(path, pixels)
        path.write_bytes(path.read_bytes()[:100])

    def no_encoder(path: Path, pixels: Pixels) -> None:
        raise ImportError("no module named imagecodecs")

    def with_writer(write: object) -> Finding:
        return tried(Sample(sample.name, sample.file, write, sample.levels, sample.states_mpp), tmp_path)  # type: ignore[arg-type]

    swapped, damaged, unwritten = map(with_writer, (wrong_colours, cut, no_encoder))
    assert swapped.level is Level.PROBLEM
    assert "reads other colours, by 5" in swapped.sentence
    assert damaged.level is Level.PROBLEM
    assert damaged.sentence.startswith("doesn't open here: ")
    assert (unwritten.level, "can't be tried" in unwritten.sentence) == (Level.WARNING, True)
    if sample.levels == 2:
        flat = tried(Sample(sample.name, sample.file, sample.write, 1, sample.states_mpp), tmp_path)
        assert "sees 2 levels and 0.25" in flat.sentence
    assert "pip install" in swapped.sentence and "pip install" in damaged.sentence


def test_a_full_disk_is_no_matter_of_packages(tmp_path: Path) -> None:
    def full(path: Path, pixels: Pixels) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    finding = tried(Sample("TIFF", "a.tif", full), tmp_path)
    assert finding.level is Level.WARNING
    assert finding.sentence.endswith(f"No space left on device); {tmp_path.parent} needs room; or set TMPDIR")


def test_requirements_that_are_not_fulfilled() -> None:
    wanted = [
        "numpy>=2.0",
        "click<8",
        "nonesuch>=1",
        "openvino>=9999; python_version < '3'",
        "ruff>=99; extra == 'test'",
    ]
    there = metadata.version("click")
    assert list(unfit(wanted)) == [
        Finding("click", Level.PROBLEM, f"{there} is installed, click<8 is needed; pip install 'click<8'"),
        Finding("nonesuch", Level.PROBLEM, "isn't installed; pip install 'nonesuch>=1'"),
    ]


def test_without_openvino_a_run_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_version", lambda package: None)
    (finding,) = unfit(["openvino>=2026.0"])
    assert finding.level is Level.WARNING


def test_memory_for_the_workers_that_a_run_starts() -> None:
    assert judge_memory(8, workers=4, total=32, free=16).level is Level.OK
    few = judge_memory(16, workers=8, total=16, free=4)
    assert (few.level, few.sentence.endswith("runs would start 8 workers: pass --workers 2")) == (
        Level.WARNING,
        True,
    )
    assert "end other programs" in judge_memory(1, workers=1, total=2, free=0.4).sentence


def test_gpus_and_why_there_are_none() -> None:
    h200 = Gpu("NVIDIA H200", 139.0, 138.0)
    well = judge_gpus([h200, h200], torch_version="2.13.0+cu130", cuda="13.0", driver=True)
    assert well.level is Level.OK
    assert well.sentence == "0: NVIDIA H200, 138 of 139 GiB free, 1: NVIDIA H200, 138 of 139 GiB free"
    full = judge_gpus([h200, Gpu("NVIDIA H200", 139.0, 1.0)], torch_version="2", cuda="13.0", driver=True)
    assert (full.level, "GPU 1 is nearly full: pass --devices" in full.sentence) == (Level.WARNING, True)
    assert judge_gpus([], torch_version="2", cuda=None, driver=False).level is Level.OK
    build = judge_gpus([], torch_version="2.13.0+cpu", cuda=None, driver=True)
    assert (build.level, "torch 2.13.0+cpu is built without CUDA" in build.sentence) == (Level.WARNING, True)
    assert "CUDA_VISIBLE_DEVICES" in judge_gpus([], torch_version="2", cuda="13.0", driver=True).sentence


@pytest.mark.parametrize(("free", "level"), [(100, Level.OK), (1, Level.WARNING), (0.05, Level.PROBLEM)])
def test_room_for_results(free: float, level: Level) -> None:
    finding = judge_disk(Path("/data"), free=free)
    assert finding.level is level
    assert ("choose another --out" in finding.sentence) == (level is not Level.OK)


def test_a_library_that_cannot_be_loaded_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken() -> None:
        raise OSError("libtiff.so.6: cannot open shared object file")

    monkeypatch.setattr(formats, "formats", broken)
    monkeypatch.setattr(
        "wsi_edt.doctor.model.find_bundle", lambda name: (_ for _ in ()).throw(UsageError("no", remedy="do"))
    )
    found = {finding.check: finding for finding in examine(model=None, out=tmp_path)}
    assert found["formats"] == Finding(
        "formats",
        Level.PROBLEM,
        "can't be checked (OSError: libtiff.so.6: cannot open shared object file); install wsi-edt again",
    )
    assert found["model"] == Finding("model", Level.PROBLEM, "no; do")
    assert found["disk"].level is Level.OK, "the checks behind it go on"
