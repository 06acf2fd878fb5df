"""Batches of damaged slides: each gets a row with one sentence or a result, nothing hangs, nothing grows without end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.fuzz.slides import mutate, oddities, of_own_series, originals, special_files
from tests.stand_ins import compute, make_settings
from wsi_edt.cluster.detector_spec import DetectorSpec
from wsi_edt.cluster.local import local_workers
from wsi_edt.cluster.pool import ShardPool
from wsi_edt.cluster.worker import WorkerTasks
from wsi_edt.report.rows import Status
from wsi_edt.run import schedule
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.planning import isolated_planner
from wsi_edt.run.progress import NoProgress
from wsi_edt.slides.location import SlidePath

MPP = 0.5
LONGEST_SENTENCE = 400
MOST_BYTES = 6 << 30  # of all processes together; a run of whole slides takes 1


def ready(spec: DetectorSpec) -> None:
    """There is no network to build."""


def run(folder: Path, out: Path) -> tuple[RunResult, tuple[str, ...]]:
    """A run with a worker process and its isolated planners, and a stand-in for the network; and what it notes."""
    settings = make_settings()

    @contextmanager
    def open_pool(probe: SlidePath) -> Iterator[ShardPool]:
        with local_workers(1, threads=2, tasks=WorkerTasks(prepare=ready, compute=compute)) as workers:
            yield workers.pool(settings.detector, [probe])

    found = find_slides([folder], out=out, fallback_mpp=MPP)
    with isolated_planner() as planner:
        result = run_batch(
            found.slides,
            out,
            settings=settings,
            open_pool=open_pool,
            progress=NoProgress(),
            plan_slide=planner,
        )
    return result, found.notes


class Memory:
    """The most that this process and its children have held together."""

    def __init__(self) -> None:
        self.most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._ended.wait(0.2):
            held = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    held += process.memory_info().rss
                except psutil.Error:
                    continue
            self.most = max(self.most, held)

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


def check(result: RunResult, names: set[str], memory: Memory) -> None:
    rows = {row.slide: row for row in result.rows}
    assert rows.keys() == names
    for name, row in rows.items():
        if row.status is Status.FAILED:
            assert row.error, name
            assert len(row.error) <= LONGEST_SENTENCE, f"{name}: {row.error}"
            assert "\n" not in row.error and "Traceback" not in row.error, f"{name}: {row.error}"
    assert memory.most < MOST_BYTES, f"{memory.most / 2**30:.1f} GiB"
    assert not [child for child in psutil.Process().children() if "isolated" in " ".join(child.cmdline())]


def fuzz(tmp_path: Path, seeds: range) -> RunResult:
    whole = originals(tmp_path / "whole")
    slides = tmp_path / "slides"
    slides.mkdir()
    names = set(oddities(slides))
    # Not among the others: OpenSlide opens all files beside a DICOM one, and would wait for the pipe.
    (slides / "special").mkdir()
    special_files(slides / "special")
    for name, content in whole.items():
        (slides / f"whole-{name}").write_bytes(of_own_series(content, 999_999))
        names.add(f"whole-{name}")
    for seed in seeds:
        name, content = mutate(seed, whole)
        (slides / name).write_bytes(content)
        names.add(name)
    memory = Memory()
    result, notes = run(slides, tmp_path / "out")
    memory.stop()
    unseen = names - {row.slide for row in result.rows}
    # DICOM of another kind is passed over, and said.
    assert all(name.endswith(".dcm") for name in unseen)
    assert not unseen or any("DICOM" in note for note in notes), notes
    check(result, names - unseen, memory)
    done = {row.slide for row in result.rows if row.status is not Status.FAILED}
    assert {name for name in names if name.startswith("whole-")} <= done
    return result


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute for what should take a moment."""
    from wsi_edt.run import planning

    monkeypatch.setattr(planning, "_LIMIT_S", 40.0)
    monkeypatch.setattr(schedule, "_SHARD_LIMIT_S", 40.0)
    monkeypatch.setattr(schedule, "_SHARD_LIMIT_S_PER_TILE", 0.1)
    monkeypatch.setattr(schedule, "_SILENCE", 2.0)


@pytest.mark.usefixtures("limits")
def test_fifty_damaged_slides_and_some_oddities(tmp_path: Path) -> None:
    fuzz(tmp_path, range(50))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("limits")
def test_a_thousand_damaged_slides_in_one_batch(tmp_path: Path) -> None:
    begun = time.monotonic()
    result = fuzz(tmp_path, range(50, 1050))
    print(f"{result.failed} of {len(result.rows)} failed, {time.monotonic() - begun:.0f} s")
