"""The doctor's own run: it ends as a run does."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.bundles.tiny import tiny_bundle
from wsi_edt.doctor import Finding, Level
from wsi_edt.doctor.trial import trial
from wsi_edt.errors import UsageError
from wsi_edt.report.rows import SummaryRow
from wsi_edt.run.batch import RunResult


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_bundle(tmp_path_factory.mktemp("model") / "tiny").directory)


def test_a_tile_goes_through_a_worker_and_nothing_is_left(tmp_path: Path, model: str) -> None:
    sentence = "a slide of one tile went through a worker process, and its results were written"
    assert list(trial(model, tmp_path / "deep/out")) == [Finding("run", Level.OK, sentence)]
    assert not list(tmp_path.iterdir())


def test_what_ends_a_run_is_raised(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr("multiprocessing.synchronize.Semaphore.__init__", refuse)
    with pytest.raises(UsageError, match="no semaphores"):
        list(trial(model, tmp_path))
    assert not list(tmp_path.iterdir())


def test_as_many_files_as_all_workers_of_a_run_need(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr("wsi_edt.doctor.trial.local_worker_count", lambda machine: 7)
    monkeypatch.setattr("wsi_edt.doctor.trial.allow_open_files", asked.append)
    monkeypatch.setattr("wsi_edt.doctor.trial.run_slides", lambda *arguments, **options: failed())
    (finding,) = trial(model, tmp_path)
    assert asked == [7]
    assert finding == Finding("run", Level.PROBLEM, "slide.png can't be read")


def failed() -> RunResult:
    return RunResult((SummaryRow.failed("slide.png", "slide.png can't be read", model="tiny"),))


def test_a_disk_without_locks_is_a_warning(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", refuse)
    locks, run = trial(model, tmp_path)
    assert (locks.level, run.level) == (Level.WARNING, Level.OK)
    assert ".wsi-edt.lease there keeps other runs out" in locks.sentence
    assert ".wsi-edt-doctor" not in locks.sentence
