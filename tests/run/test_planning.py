"""Planning that crashes or never ends, and shards that never end: one slide fails, the others finish."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.stand_ins import MPP, Pool, make_settings, paint, write_slide
from tests.stand_ins import compute as compute_stub
from wsi_edt.cluster.pool import PendingShard
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.errors import SlideError
from wsi_edt.run import plan, planning, schedule
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import SlideRef, find_slides
from wsi_edt.run.plan import SlidePlan, plan_slide
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.settings import CellSettings
from wsi_edt.run.stop import StopRequest
from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.source import SlideSource


def plan_or_die(ref: SlideRef, cells: CellSettings, **others: Any) -> tuple[SlidePlan, RgbArray]:
    if ref.name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if ref.name.startswith("hang"):
        time.sleep(1000)
    return plan_slide(ref, cells, **others)


def run(folder: Path, out: Path, pool: Pool, **options: object) -> RunResult:
    slides = find_slides([folder], out=out, fallback_mpp=MPP).slides
    return run_batch(
        slides,
        out,
        settings=make_settings(),
        open_pool=pool.opener,
        progress=NoProgress(),
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    for seed, name in enumerate(("a.png", "crash.png", "hang.png", "z.png")):
        write_slide(folder / name, paint(seed))
    return folder


def test_a_slide_that_brings_its_reader_down_fails_alone(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (slides / "hang.png").unlink()
    monkeypatch.setattr(planning, "plan_slide", plan_or_die)
    with planning.isolated_planner() as planner:
        rows = run(slides, tmp_path / "out", Pool(), plan_slide=planner).rows
    errors = {row.slide: row.error for row in rows}
    assert errors["a.png"] is errors["z.png"] is None
    assert errors["crash.png"] is not None
    assert errors["crash.png"].startswith(
        "crash.png brought down the process that read it, which died of SIGSEGV; "
    )


def test_a_slide_that_cannot_be_opened_in_time_fails_alone(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (slides / "crash.png").unlink()
    monkeypatch.setattr(planning, "plan_slide", plan_or_die)
    # Enough for the slides that can be opened, in a process that has yet to import everything.
    monkeypatch.setattr(planning, "planning_limit_s", lambda path: 1.0 if "hang" in path.name else 300.0)
    with planning.isolated_planner() as planner:
        rows = run(slides, tmp_path / "out", Pool(), plan_slide=planner).rows
    errors = {row.slide: row.error for row in rows}
    assert errors["a.png"] is errors["z.png"] is None
    assert errors["hang.png"] is not None
    assert errors["hang.png"].startswith("hang.png couldn't be opened and overviewed in 1 s; ")


def test_the_limit_grows_with_the_file(tmp_path: Path) -> None:
    with (tmp_path / "large.svs").open("wb") as file:
        file.truncate(2_000_000_000)  # sparse
    assert planning.planning_limit_s(tmp_path / "large.svs") == 300 + 2 * 600
    assert planning.planning_limit_s(tmp_path / "absent.svs") == 300


def test_a_shard_that_never_ends_costs_its_own_slide_alone(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (slides / "crash.png").unlink()
    released = threading.Event()
    monkeypatch.setattr(schedule, "_SILENCE", 0.05)
    monkeypatch.setattr(schedule, "_SHARD_LIMIT_S", 1.0)
    monkeypatch.setattr(schedule, "_SHARD_LIMIT_S_PER_TILE", 0.0)

    def compute(task: ShardTask) -> ShardResult:
        if task.source.path.name == "hang.png":
            released.wait(60)
            raise SlideError("was let go")
        return compute_stub(task)

    threading.Timer(3.0, released.set).start()
    rows = run(slides, tmp_path / "out", Pool(threads=4, compute=compute)).rows
    errors = {row.slide: row.error for row in rows}
    assert errors["a.png"] is errors["z.png"] is None
    assert errors["hang.png"] is not None
    assert (
        "can't be read within 0 s in its shard 0" in errors["hang.png"] or "within 1 s" in errors["hang.png"]
    )


@dataclass(frozen=True)
class Hanging:
    """A shard that hangs until its worker is ended."""

    ended: Callable[[], None]
    abandoned: list[object]
    endless: bool = False

    def result(self) -> ShardResult:
        raise SlideError("the worker was ended")

    def cancel(self) -> None:
        if self.endless:
            self.ended()

    def abandon(self) -> None:
        self.abandoned.append(self)
        if self.endless:
            raise RuntimeError("no such worker")
        self.ended()


@dataclass
class HangingPool(Pool):
    """Hangs in every shard of hang.png."""

    abandoned: list[object] = field(default_factory=list)
    endless: bool = False

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        if task.source.path.name == "hang.png":
            time.sleep(0.1 * task.shard.index)  # they aren't overdue all at once
            return Hanging(done, self.abandoned, self.endless)
        return super().submit(task, done)


@pytest.mark.parametrize("endless", [False, True], ids=["ended", "can't be ended"])
def test_all_shards_of_a_slide_may_hang_each_in_a_worker_of_its_own(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endless: bool
) -> None:
    (slides / "crash.png").unlink()
    monkeypatch.setattr(schedule, "_SILENCE", 0.05)
    monkeypatch.setattr(schedule, "_SHARD_LIMIT_S", 1.5)
    monkeypatch.setattr(schedule, "_SHARD_LIMIT_S_PER_TILE", 0.0)
    pool = HangingPool(endless=endless)
    rows = run(slides, tmp_path / "out", pool).rows
    assert [row.slide for row in rows if row.error] == ["hang.png"]
    assert len(pool.abandoned) > 1, "or the case shows nothing"
    assert len(set(map(id, pool.abandoned))) == len(pool.abandoned), "each is ended once"


def test_a_shard_may_wait_for_a_worker_for_however_long(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("crash.png", "hang.png", "z.png"):
        (slides / name).unlink()
    monkeypatch.setattr(schedule, "_SILENCE", 0.05)
    monkeypatch.setattr(schedule, "_SHARD_LIMIT_S", 1.0)
    monkeypatch.setattr(schedule, "_SHARD_LIMIT_S_PER_TILE", 0.0)

    def compute(task: ShardTask) -> ShardResult:
        if task.shard.index == 0:
            time.sleep(1.0)  # three times as long as a shard may take
        return compute_stub(task)

    (row,) = run(slides, tmp_path / "out", Pool(threads=1, slots=0, compute=compute)).rows
    assert row.error is None


def test_an_impossible_size_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_slide(tmp_path / "a.png", paint(0))  # 900 × 300 px, at 20 µm/px 18 × 6 mm
    ref, cells = SlideRef(SlideSource(path, 20.0), "a.png"), make_settings().cells
    monkeypatch.setattr(plan, "LARGEST_SLIDE_MM2", 107.0)
    with pytest.raises(SlideError, match=r"would be 18 × 6 mm large \(900 × 300 px at 20 µm/px\)"):
        plan_slide(ref, cells, allow_coarse=True)


def test_nobody_waits_for_a_slide_that_cannot_be_opened_to_stop(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "crash.png", "z.png"):
        (slides / name).unlink()
    monkeypatch.setattr(planning, "plan_slide", plan_or_die)
    stop = StopRequest()
    threading.Timer(3.0, stop.ask).start()
    begun = time.monotonic()
    with planning.isolated_planner(stop) as planner:
        result = run(slides, tmp_path / "out", Pool(), plan_slide=planner, stop=stop)
    assert (result.rows, result.unfinished) == ((), 1)
    assert time.monotonic() - begun < 60  # it would take 300
