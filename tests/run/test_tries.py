"""A shard that fails is tried again, three times in all; then its slide has failed, and no other."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import write_pyramid
from tests.stand_ins import MPP, Pool, compute, make_settings, paint, result_files, write_slide
from wsi_edt.cluster.pool import ShardPool
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.errors import MissingMppError, SlideError
from wsi_edt.report.rows import Status, SummaryRow
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import SlideRef, find_slides
from wsi_edt.run.finalise import finalise
from wsi_edt.run.plan import SlidePlan, plan_slide
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.settings import CellSettings
from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.quality import quality
from wsi_edt.slides.stain_style import KnownStains

Place = tuple[str, int]


def run_all(folder: Path, out: Path, opener: Any) -> RunResult:
    slides = find_slides([folder], out=out, fallback_mpp=MPP).slides
    return run_batch(slides, out, settings=make_settings(), open_pool=opener, progress=NoProgress())


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        write_slide(folder / name, paint(seed))
    return folder


@pytest.mark.parametrize(
    ("failures", "failed", "tries"), [(1, 0, 2), (2, 0, 3), (9, 1, 3)], ids=["once", "twice", "always"]
)
@pytest.mark.parametrize("threads", [0, 3])
def test_three_tries(
    slides: Path, tmp_path: Path, failures: int, failed: int, tries: int, threads: int
) -> None:
    done: Counter[Place] = Counter()

    def flaky(task: ShardTask) -> ShardResult:
        place = (task.source.path.name, task.shard.index)
        done[place] += 1
        if place == ("b.png", 1) and done[place] <= failures:
            raise SlideError(f"can't be read, try {done[place]}", where=task.source)
        return compute(task)

    result = run_all(slides, tmp_path / "out", Pool(compute=flaky, threads=threads).opener)
    assert result.failed == failed
    assert done.pop(("b.png", 1)) == tries
    assert set(done.values()) == {1}
    if failed:
        assert result.rows[1].error == "b.png can't be read, try 3 (tried 3 times)"
    else:
        run_all(slides, tmp_path / "whole", Pool().opener)
        assert result_files(tmp_path / "out") == result_files(tmp_path / "whole")


def test_what_no_try_would_change_is_not_tried_again(slides: Path, tmp_path: Path) -> None:
    def refuses(task: ShardTask) -> ShardResult:
        raise MissingMppError("no µm/px")

    pool = Pool(compute=refuses)
    assert run_all(slides, tmp_path / "out", pool.opener).failed == 3
    assert max(Counter(pool.computed).values()) == 1


@dataclass
class OneWorker:
    """A pool whose single worker dies of a certain shard, with all that it has.

    It begins with that shard, once it has it and one of another slide.
    """

    deadly: Place
    slots: int = 50
    has: list[_Fate] = field(default_factory=list)
    tries: Counter[Place] = field(default_factory=Counter)
    together: list[int] = field(default_factory=list)  # how many shards it had, at each death
    held_back: list[tuple[Place, Callable[[], None]]] = field(default_factory=list)
    begun: bool = False

    def submit(self, task: ShardTask, done: Callable[[], None]) -> _Fate:
        fate = _Fate(self, task)
        self.has.append(fate)
        self.tries[fate.place] += 1
        self.held_back.append((fate.place, done))
        slides = {name for name, _ in self.tries}
        self.begun = self.begun or (len(slides) == 2 and self.deadly in self.tries)
        if self.begun:
            for _, tell in sorted(self.held_back, key=lambda held: held[0] != self.deadly):
                tell()
            self.held_back.clear()
        return fate

    @contextmanager
    def opener(self, probe: Path) -> Iterator[ShardPool]:
        yield self


@dataclass(eq=False)
class _Fate:
    pool: OneWorker
    task: ShardTask
    dead: bool = False

    @property
    def place(self) -> Place:
        return self.task.source.path.name, self.task.shard.index

    def result(self) -> ShardResult:
        if not self.dead and self.place == self.pool.deadly:
            self.pool.together.append(len(self.pool.has))
            for fate in self.pool.has:
                fate.dead = True
        self.pool.has.remove(self)
        if self.dead:
            raise SlideError("the worker died")
        return compute(self.task)

    def cancel(self) -> None:
        return

    def abandon(self) -> None:
        return


def test_a_shard_that_kills_its_worker_takes_no_other_slide_with_it(slides: Path, tmp_path: Path) -> None:
    (slides / "c.png").unlink()
    pool = OneWorker(("a.png", 1))
    result = run_all(slides, tmp_path / "out", pool.opener)
    assert [row.status for row in result.rows] == [Status.FAILED, Status.DONE]
    assert pool.tries["a.png", 1] == 3
    assert max(tries for (name, _), tries in pool.tries.items() if name == "b.png") == 3, (
        "others died twice with it, which is the case"
    )
    assert min(pool.together[:2]) > 1
    assert pool.together[2] == 1, "the last try is made alone"


def test_a_slide_that_vanishes_midway_fails_alone(slides: Path, tmp_path: Path) -> None:
    def vanishing(task: ShardTask) -> ShardResult:
        result = compute(task)
        if task.source.path.name == "b.png":
            Path(str(task.source)).unlink()
        return result

    pool = Pool(compute=vanishing)
    result = run_all(slides, tmp_path / "out", pool.opener)
    assert [row.status for row in result.rows] == [Status.DONE, Status.FAILED, Status.DONE]
    assert "b.png" in (result.rows[1].error or "")
    assert not (tmp_path / "out/b.png/ki67.json").exists()

    write_slide(slides / "b.png", paint(1))
    again = Pool()
    assert run_all(slides, tmp_path / "out", again.opener).failed == 0
    whole = Pool()
    run_all(slides, tmp_path / "whole", whole.opener)
    stored = next(place for place in pool.computed if place[0] == "b.png")
    assert set(again.computed) == {place for place in whole.computed if place[0] == "b.png"} - {stored}


def test_a_tile_with_damaged_bytes_fails_its_slide_alone(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The sample for the slide's quality would meet the tile before a shard does.
    monkeypatch.setattr(quality, "sample_fields", lambda *_: ((), 0.5))
    damaged = slides / "damaged.tif"
    write_pyramid(damaged, paint(5, width=1800, height=1200).pixels, compression="jpeg", mpp=MPP)
    content = damaged.read_bytes()
    start = content.index(b"\xff\xd8\xff")  # of the first tile of level 0, which shard 0 reads
    damaged.write_bytes(content[:start] + b"\0" * 64 + content[start + 64 :])
    pool = Pool()
    result = run_all(slides, tmp_path / "out", pool.opener)
    assert [row.status for row in result.rows] == [Status.DONE] * 3 + [Status.FAILED]
    error = result.rows[3].error or ""
    assert error.startswith("window of 96 x 96 px at (-32, -32), 0.5 µm/px: damaged.tif can't be read")
    assert max(Counter(pool.computed).values()) == 3


def test_a_slide_that_is_being_written_stalls_no_other(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = threading.Event()
    patient: list[str] = []

    def slow(plan: Any, *arguments: Any) -> Any:
        if plan.ref.name != "c.png" and not patient:
            patient.append(plan.ref.name)
            assert others.wait(60), "no shard of another slide was computed meanwhile"
        return finalise(plan, *arguments)

    def told(task: ShardTask) -> ShardResult:
        if task.source.path.name == "d.png":
            others.set()
        return compute(task)

    monkeypatch.setattr("wsi_edt.run.schedule.finalise", slow)
    for seed in range(3, 6):
        write_slide(slides / f"{'abcdef'[seed]}.png", paint(seed))
    result = run_all(slides, tmp_path / "out", Pool(compute=told).opener)
    assert result.failed == 0
    assert patient


def test_many_slides_are_in_work_a_few_at_a_time(tmp_path: Path) -> None:
    # 1,000 such slides took 410 MiB at most, of which the imports 374, and two minutes; so this has fewer.
    for number in range(40):
        write_slide(tmp_path / f"slides/{number:02}.png", paint(number, width=240, height=100))
    held: list[weakref.ref[np.ndarray]] = []  # a mask of each plan, which ends with it
    most = 0

    def planned(
        ref: SlideRef,
        cells: CellSettings,
        *,
        allow_coarse: bool = False,
        known_stains: KnownStains | None = None,
    ) -> tuple[SlidePlan, RgbArray]:
        plan, overview = plan_slide(ref, cells, allow_coarse=allow_coarse, known_stains=known_stains)
        held.append(weakref.ref(plan.tissue.mask))
        return plan, overview

    class Counting(NoProgress):
        def ended(self, row: SummaryRow) -> None:
            nonlocal most
            most = max(most, sum(one() is not None for one in list(held)))

    pool = Pool(threads=4, slots=5)
    slides = find_slides([tmp_path / "slides"], out=tmp_path / "out", fallback_mpp=MPP).slides
    result = run_batch(
        slides,
        tmp_path / "out",
        settings=make_settings(),
        open_pool=pool.opener,
        progress=Counting(),
        plan_slide=planned,
    )
    assert [row.error for row in result.rows if row.error] == []
    assert len(result.rows) == 40
    assert 1 < pool.most_in_flight <= 5
    # With shards to compute: 5 slides; being planned: 2; waiting to be written: 4, and what ended meanwhile.
    assert 0 < most <= 16
