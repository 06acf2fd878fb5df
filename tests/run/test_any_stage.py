"""Whatever a slide raises, at whatever stage: its row says why, the others finish, and the same call continues."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.stand_ins import MPP, Pool, compute, make_settings, paint, result_files, write_slide
from wsi_edt.cluster.pool import PendingShard
from wsi_edt.cluster.worker import ShardTask
from wsi_edt.errors import AnnotationError, OutputError, SlideError, UsageError
from wsi_edt.report.rows import Status, SummaryRow
from wsi_edt.results.store import SlideStore
from wsi_edt.run import batch, discover, finalise, outcomes, resume, schedule
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.plan import Planner, plan_slide
from wsi_edt.run.progress import NoProgress
from wsi_edt.slides.source import SlideSource

GOOD = ("a.png", "z.png")


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


# By the name of the slide that raises it, with what its row then says.
ERRORS: dict[str, tuple[Callable[[], Exception], str]] = {
    "slide.png": (lambda: SlideError("is damaged", remedy="copy it again"), "is damaged; copy it again"),
    "value.png": (lambda: ValueError("two\nlines"), "unexpected ValueError: two lines"),
    "stale.png": (lambda: OSError(errno.ESTALE, os.strerror(errno.ESTALE)), os.strerror(errno.ESTALE)),
    "letter.png": (lambda: UnicodeEncodeError("utf-8", "\udce9", 0, 1, "no letter"), "no letter"),
    "memory.png": (MemoryError, "memory is too small"),
    "deep.png": (lambda: RecursionError("too deep"), "unexpected RecursionError: too deep"),
    "mute.png": (MuteError, "unexpected MuteError"),
    "output.png": (lambda: OutputError("can't be written: Permission denied"), "Permission denied"),
    "usage.png": (lambda: UsageError("is too small for QuPath"), "is too small for QuPath"),
    "regions.png": (lambda: AnnotationError("has no regions"), "has no regions"),
}


def strike(*names: object) -> None:
    """Raise what belongs to a slide, if one of these is its name, a path of it or in its folder."""
    for name in names:
        for part in Path(str(name)).parts:
            if part in ERRORS:
                raise ERRORS[part][0]()


@dataclass
class Case:
    """A run's parts, of which a stage spoils one."""

    monkeypatch: pytest.MonkeyPatch
    planner: Planner = plan_slide
    pool: Pool | None = None
    series: int | None = None

    def spoil(self, place: Any, name: str, told: Callable[..., object]) -> None:
        """Make a function raise what belongs to the slide that `told` finds in its arguments."""
        real = getattr(place, name)

        def spoilt(*arguments: Any, **others: Any) -> Any:
            strike(told(*arguments, **others))
            return real(*arguments, **others)

        self.monkeypatch.setattr(place, name, spoilt)


def identity(case: Case) -> None:
    case.spoil(discover, "identity", lambda path: path)
    planning(case)


def pictures(case: Case) -> None:
    case.spoil(discover, "list_pictures", lambda path: path)
    planning(case)
    case.series = 1


def fingerprint(case: Case) -> None:
    case.spoil(SlideSource, "state", lambda source: source.path)


def settings_check(case: Case) -> None:
    case.spoil(SlideStore, "read_header", lambda path: path)


def looking_for_results(case: Case) -> None:
    case.spoil(batch, "row_if_finished", lambda ref, *_: ref.name)


def planning(case: Case) -> None:
    def planner(ref: Any, cells: Any, **others: Any) -> Any:
        strike(ref.name)
        return plan_slide(ref, cells, **others)

    case.planner = planner


def tissue_picture(case: Case) -> None:
    case.spoil(resume, "draw_tissue", lambda store, folder, *_: folder)


def sending(case: Case) -> None:
    class Refusing(Pool):
        def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
            strike(task.source.path)
            return super().submit(task, done)

    case.pool = Refusing()


def computing(case: Case) -> None:
    def broken(task: ShardTask) -> Any:
        strike(task.source.path)
        return compute(task)

    case.pool = Pool(compute=broken)


def storing(case: Case) -> None:
    case.spoil(SlideStore, "write_shard", lambda store, *_, **others: store.path)


def finalising(case: Case) -> None:
    case.spoil(schedule, "finalise", lambda plan, *_: plan.ref.name)


def last_mark(case: Case) -> None:
    case.spoil(finalise, "as_written", lambda folder, _: folder)


def row(case: Case) -> None:
    def columns(row: SummaryRow) -> str:
        return row.slide if row.status is not Status.FAILED else ""

    case.spoil(SummaryRow, "columns", columns)


def error_log(case: Case) -> None:
    """OutputErrors are what this place raises."""
    planning(case)

    def refuse(path: Path, _: bytes) -> None:
        raise OutputError("can't be written: Stale file handle", where=path)

    case.monkeypatch.setattr(outcomes, "write_atomically", refuse)


STAGES = (
    identity,
    pictures,
    fingerprint,
    settings_check,
    looking_for_results,
    planning,
    tissue_picture,
    sending,
    computing,
    storing,
    finalising,
    last_mark,
    row,
    error_log,
)


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    for seed, name in enumerate((*GOOD, *ERRORS)):
        write_slide(folder / name, paint(seed, width=240, height=100))
    return folder


@pytest.fixture(scope="module")
def whole(slides: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run leaves to which nothing happens."""
    out = tmp_path_factory.mktemp("whole")
    assert all(row.total for row in run_all(slides, out).rows), "the case needs shards"
    return result_files(out)


def run_all(slides: Path, out: Path, case: Case | None = None) -> RunResult:
    case = case or Case(pytest.MonkeyPatch())
    found = find_slides([slides], out=out, fallback_mpp=MPP, series=case.series).slides
    return run_batch(
        found,
        out,
        settings=make_settings(),
        open_pool=(case.pool or Pool()).opener,
        progress=NoProgress(),
        plan_slide=case.planner,
    )


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_the_others_finish(
    stage: Callable[[Case], None], slides: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        case = Case(monkeypatch)
        stage(case)
        result = run_all(slides, tmp_path / "out", case)
    failed = {row.slide: row.error or "" for row in result.rows if row.status is Status.FAILED}
    assert failed.keys() == ERRORS.keys(), "these raise, and only these"
    for name, (_, says) in ERRORS.items():
        assert says in failed[name], name
        assert (tmp_path / "out" / name / "error.log").exists() == (stage is not error_log), name
    good = {name: content for name, content in whole.items() if name.startswith(GOOD)}
    assert good
    assert good.items() <= result_files(tmp_path / "out").items()

    assert run_all(slides, tmp_path / "out").failed == 0, "the same call continues"
    assert result_files(tmp_path / "out") == whole
