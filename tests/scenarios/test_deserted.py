"""A pool whose workers are all gone: it is said once, and the run waits for others or can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.stand_ins import MPP, Pending, Pool, compute, make_settings, paint, result_files, write_slide
from wsi_edt.cluster.pool import PendingShard
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.run import schedule
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.stop import StopRequest

Held = tuple[ShardTask, "Future[ShardResult]"]


@dataclass
class Deserted(Pool):
    """Keeps what is submitted until a worker comes."""

    slots: int = 0
    held: list[Held] = field(default_factory=list)

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        if self.slots:
            return super().submit(task, done)
        future: Future[ShardResult] = Future()
        future.add_done_callback(lambda _: done())
        self.held.append((task, future))
        return Pending(future)

    def worker_comes(self) -> None:
        self.slots = 1
        for task, future in self.held:
            future.set_result(compute(task))


@dataclass
class Listener(NoProgress):
    """Does something at a note."""

    at_note: Callable[[], None]
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.at_note()


@pytest.fixture
def slides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(schedule, "_SILENCE", 0.05)
    folder = tmp_path / "slides"
    for seed, name in enumerate(("a.png", "b.png")):
        write_slide(folder / name, paint(seed))
    return folder


def run_all(folder: Path, out: Path, pool: Pool, listener: NoProgress, stop: StopRequest) -> RunResult:
    found = find_slides([folder], out=out, fallback_mpp=MPP).slides
    return run_batch(
        found, out, settings=make_settings(), open_pool=pool.opener, progress=listener, stop=stop
    )


def test_it_is_said_and_the_run_goes_on_with_the_next_worker(slides: Path, tmp_path: Path) -> None:
    pool = Deserted()
    listener = Listener(pool.worker_comes)
    result = run_all(slides, tmp_path / "out", pool, listener, StopRequest())
    assert [note.partition(".")[0] for note in listener.notes] == [
        "no Dask worker is left, and 1 shard in flight"
    ]
    assert len(pool.held) == 1
    assert result.failed == result.unfinished == 0
    run_all(slides, tmp_path / "whole", Pool(), NoProgress(), StopRequest())
    assert result_files(tmp_path / "out") == result_files(tmp_path / "whole")


def test_it_is_said_again_when_the_next_worker_leaves_too(slides: Path, tmp_path: Path) -> None:
    pool = Deserted()

    @dataclass
    class Leaver(Listener):
        def stored(self, slide: str, *, tiles: int, cells: int) -> None:
            if len(self.notes) == 1:
                pool.slots, pool.held = 0, []

    listener = Leaver(pool.worker_comes)
    result = run_all(slides, tmp_path / "out", pool, listener, StopRequest())
    assert len(listener.notes) == 2
    assert result.failed == result.unfinished == 0


def test_it_can_be_stopped_at_once_and_goes_on_later(slides: Path, tmp_path: Path) -> None:
    stop = StopRequest()
    listener = Listener(stop.ask)
    result = run_all(slides, tmp_path / "out", Deserted(), listener, stop)
    assert result.unfinished == 2
    assert len(listener.notes) == 1
    run_all(slides, tmp_path / "out", Pool(), NoProgress(), StopRequest())
    run_all(slides, tmp_path / "whole", Pool(), NoProgress(), StopRequest())
    assert result_files(tmp_path / "out") == result_files(tmp_path / "whole")
