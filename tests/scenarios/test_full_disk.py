"""A disk that fills up: one sentence, and the same command continues once there is room."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.stand_ins import MPP, Pool, compute, make_settings, paint, result_files, write_slide
from wsi_edt import run as running
from wsi_edt.cli.main import run_command
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.errors import OutputError
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import SlideRef, find_slides
from wsi_edt.run.progress import NoProgress, RunProgress


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    write_slide(tmp_path / "slides/a.png", paint(1, width=600, height=300))
    write_slide(tmp_path / "slides/b.png", paint(2, width=240, height=100))
    return tmp_path / "slides"


def run_of(found: Sequence[SlideRef], out: Path, pool: Pool) -> RunResult:
    return run_batch(found, out, settings=make_settings(), open_pool=pool.opener, progress=NoProgress())


def run_all(slides: Path, out: Path) -> Pool:
    pool = Pool()
    found = find_slides([slides], out=out, fallback_mpp=MPP).slides
    result = run_of(found, out, pool)
    assert result.failed == 0, "a full disk isn't a slide's fault"
    return pool


def refusal(slides: Path, out: Path) -> str | None:
    try:
        run_all(slides, out)
    except OutputError as error:
        return str(error)
    return None


def test_no_room_at_any_step(slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_all(slides, tmp_path / "whole")
    whole = result_files(tmp_path / "whole")
    step, taken = 0, 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken > step:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        return call

    refused = 0
    while True:
        taken = 0
        out = tmp_path / f"out{step}"
        with monkeypatch.context() as patch:
            for name in ("fsync", "replace"):
                patch.setattr(os, name, counted(getattr(os, name)))
            sentence = refusal(slides, out)
        if sentence is None:
            break
        refused += 1
        assert "No space left on device" in sentence
        assert "give the same command again" in sentence
        run_all(slides, out)
        assert result_files(out) == whole, step
        step += 11
    assert refused > 6


def test_a_run_that_ends_early_says_how_many_slides_are_left(slides: Path, tmp_path: Path) -> None:
    """Once a slide has ended, and where there is room for so little."""

    def full(task: ShardTask) -> ShardResult:
        if task.source.path.name == "b.png":
            raise OutputError("can't be written", where="b.png") from OSError(errno.ENOSPC, "No space left")
        return compute(task)

    found = find_slides([slides], out=tmp_path / "out", fallback_mpp=MPP).slides
    first = run_of(found[:1], tmp_path / "out", Pool())
    assert first.unfinished == 0
    with pytest.raises(OutputError, match="can't be written"):
        run_of(found, tmp_path / "out", Pool(compute=full))
    record = json.loads((tmp_path / "out/run.json").read_bytes())
    assert (record["slides"], record["failed"], record["unfinished"]) == (2, 0, 1)
    assert "2 slides, 1 so far" in (tmp_path / "out/report.html").read_text()

    with pytest.raises(OutputError, match="can't be written"):
        run_of(found[1:], tmp_path / "nothing", Pool(compute=full))
    assert not (tmp_path / "nothing/run.json").exists()


def test_the_command_says_how_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, progress: RunProgress, **__: Any) -> RunResult:
        progress.begun(slides=5, finished=2)
        raise OutputError("can't be written: No space left on device", where="out")

    monkeypatch.setattr(running, "run_slides", full)
    assert run_command(["run", "a", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "Error: out can't be written: No space left on device" in said
    assert "Stopped: 2 of 5 slides ended" in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory, which only root may mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0 or not resized(folder, "64k", new=True):
        pytest.skip("a small file system can't be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def resized(folder: Path, size: str, *, new: bool = False) -> bool:
    options = f"size={size}" if new else f"remount,size={size}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_a_real_disk_that_is_full(slides: Path, small_disk: Path, tmp_path: Path) -> None:
    run_all(slides, tmp_path / "whole")
    refused = 0
    for kib in range(8, 4096, 48):
        out = small_disk / f"out{kib}"
        occupied = sum(file.stat().st_blocks // 2 for file in small_disk.rglob("*"))
        assert resized(small_disk, f"{occupied + kib}k")
        sentence = refusal(slides, out)
        if sentence is None:
            break
        refused += 1
        assert "No space left on device" in sentence
        assert resized(small_disk, f"{occupied + 4096}k")
        run_all(slides, out)
        assert result_files(out) == result_files(tmp_path / "whole"), kib
    assert refused > 2
