"""Which errors end a run, and which only look so."""

from __future__ import annotations

import csv
import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.run.test_batch import run_all
from tests.stand_ins import MPP, Pool, make_settings, paint, write_slide
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.errors import ClusterLostError, ModelError, OutputError, SlideError, UsageError
from wsi_edt.files import writing
from wsi_edt.report.rows import Status
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.outcomes import ends_the_run
from wsi_edt.run.progress import NoProgress


def refused(code: int) -> OutputError:
    """What writing a file raises if the system answers so."""
    with pytest.raises(OutputError) as raised, writing(Path("x")):
        raise OSError(code, "no")
    return raised.value


def test_what_every_slide_would_meet_ends_the_run() -> None:
    assert ends_the_run(ModelError("has no weights"))
    assert ends_the_run(ClusterLostError("gone"))
    assert ends_the_run(refused(errno.ENOSPC))
    assert ends_the_run(refused(errno.EDQUOT))
    alone = [SlideError("is damaged"), UsageError("is too small"), OutputError("is of another version")]
    alone += [refused(code) for code in (errno.EACCES, errno.ENOTDIR, errno.EFBIG, errno.ESTALE)]
    others = [OSError(errno.ENOSPC, "No space left on device"), MemoryError(), ValueError("x")]
    assert not any(map(ends_the_run, [*alone, *others]))


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    for seed, name in enumerate(("a.png", "b.png")):
        write_slide(tmp_path / "slides" / name, paint(seed, width=240, height=100))
    return tmp_path / "slides"


@pytest.mark.parametrize(
    "error", [ModelError("has no weights"), ClusterLostError("gone"), refused(errno.ENOSPC)]
)
def test_such_an_error_fails_no_slide(slides: Path, tmp_path: Path, error: Exception) -> None:
    def broken(task: ShardTask) -> ShardResult:
        raise error

    with pytest.raises(type(error)):
        run_all(slides, tmp_path / "out", pool=Pool(compute=broken))
    assert not list(tmp_path.rglob("error.log"))
    assert run_all(slides, tmp_path / "out").failed == 0


def of_another_version(out: Path, name: str) -> None:
    path = out / name / "store.zarr" / "zarr.json"
    fields = json.loads(path.read_text())
    fields["attributes"]["format"] = 99
    path.write_text(json.dumps(fields))


def test_another_versions_results_fail_alone_but_not_all_of_them(slides: Path, tmp_path: Path) -> None:
    """If all are, nothing is computed, and the table of the earlier run stays."""
    out = tmp_path / "out"
    run_all(slides, out)
    of_another_version(out, "a.png")
    rows = run_all(slides, out).rows
    assert [row.status for row in rows] == [Status.FAILED, Status.DONE]
    assert "another version" in (rows[0].error or "")

    before = (out / "summary.csv").read_bytes()
    of_another_version(out, "b.png")
    with pytest.raises(OutputError, match="another version"):
        run_all(slides, out)
    assert (out / "summary.csv").read_bytes() == before
    assert run_all(slides, out, settings=make_settings(overwrite=True)).failed == 0


@pytest.mark.parametrize(
    "name", ["report.html/x.png", "summary.csv/x.png", "/".join(["n" * 250] * 16) + ".png"]
)
def test_a_slide_without_a_place_for_its_results_fails_alone(slides: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    found = [*find_slides([slides], out=out, fallback_mpp=MPP).slides]
    found.append(replace(found[0], name=name))
    for again in range(2):
        pool = Pool()
        result = run_batch(found, out, settings=make_settings(), open_pool=pool.opener, progress=NoProgress())
        assert [row.status for row in result.rows] == [Status.DONE, Status.DONE, Status.FAILED]
        assert "give a name in a table" in (result.rows[2].error or "")
        assert pool.opened == 1 - again
    assert {path.name for path in out.iterdir()} >= {
        "a.png",
        "b.png",
        "report.html",
        "summary.csv",
        "run.json",
    }
    assert (out / "report.html").is_file()
    assert (out / "summary.csv").is_file()


def test_a_folder_of_results_that_cannot_be_written_at_all_ends_the_run(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slide fails, and so does the table that would say so: one sentence, no endless series of rows."""
    out = tmp_path / "out"
    real = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if out in target.parents:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(OutputError, match="Read-only file system"):
            run_all(slides, out)
    assert run_all(slides, out).failed == 0
    with (out / "summary.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done", "done"]
