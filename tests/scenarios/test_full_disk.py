"""A disk that fills up: one sentence, and the same command continues once there is room."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stand_ins import MPP, Pool, make_settings, paint, result_files, write_slide
from wsi_edt.errors import OutputError
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import NoProgress


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    write_slide(tmp_path / "slides/a.png", paint(1, width=600, height=300))
    write_slide(tmp_path / "slides/b.png", paint(2, width=240, height=100))
    return tmp_path / "slides"


def run_all(slides: Path, out: Path) -> Pool:
    pool = Pool()
    found = find_slides([slides], out=out, fallback_mpp=MPP).slides
    result = run_batch(found, out, settings=make_settings(), open_pool=pool.opener, progress=NoProgress())
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
        step += 5
    assert refused > 6


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
