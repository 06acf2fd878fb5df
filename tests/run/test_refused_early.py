"""A machine on which no worker can start is told before anything is written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.bundles.tiny import tiny_bundle
from tests.stand_ins import MPP, paint, write_slide
from wsi_edt.errors import UsageError
from wsi_edt.run import RunOptions, preview_slides, run_slides


def test_without_semaphores_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    slide = write_slide(tmp_path / "a.png", paint(0))
    options = RunOptions(model=str(tiny_bundle(tmp_path / "tiny", mpp=MPP).directory), fallback_mpp=MPP)
    monkeypatch.setattr("multiprocessing.synchronize.Semaphore.__init__", refuse)
    with pytest.raises(UsageError, match=r"no semaphores \(Read-only file system\); /dev/shm must"):
        run_slides(slide, tmp_path / "out", options)
    with pytest.raises(UsageError, match="no semaphores"):
        list(preview_slides(slide, tmp_path / "out", options))
    assert not (tmp_path / "out").exists()
