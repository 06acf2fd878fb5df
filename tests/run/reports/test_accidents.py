"""Reports made again where slides, rows and stores are not as the run left them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.run.reports.helpers import BREAST, RAISED, Notes, by, listed, shown, written
from tests.run.test_batch import run_all
from tests.stand_ins import (
    MPP,
    Pool,
    make_settings,
    paint,
    write_slide,
)
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.report.rows import Status
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.export import export_slides
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.report import ReportOptions, report_slides
from wsi_edt.run.stop import StopRequest


def test_a_file_that_somebody_changed_is_kept_aside(out: Path) -> None:
    before = written(out)
    (out / "a.png/cells.geojson").write_text("mine")
    report_slides(out)
    assert written(out) == before
    assert (out / "a.png/cells.changed.geojson").read_text() == "mine"


def test_a_slide_that_is_gone_keeps_its_numbers(own: tuple[Path, Path]) -> None:
    slides, out = own
    before = written(out)
    (slides / "a.png").rename(slides / "elsewhere")
    notes = Notes()
    result = report_slides(out, by(BREAST), progress=notes)
    assert [row.status for row in result.rows] == [Status.DONE] * 2
    assert listed(out)["a.png"]["error"].startswith("its pictures are left out, as ")
    assert [line for line in notes.lines if "its pictures are left out" in line]
    assert "its pictures are left out, as " in shown(out / "report.html")
    assert (out / "a.png/overview.png").read_bytes() == before["a.png/overview.png"]  # the same cells
    report_slides(out, ReportOptions(threshold=RAISED))
    assert not (out / "a.png/overview.png").exists()  # others
    assert (out / "deep/b.png/overview.png").exists()
    (slides / "elsewhere").rename(slides / "a.png")
    run_all(slides, out)
    assert written(out) == before


def test_another_file_in_the_slides_place_fails_alone(own: tuple[Path, Path]) -> None:
    slides, out = own
    before = written(out)
    write_slide(slides / "a.png", paint(9, width=500, height=160))
    result = report_slides(out, by(BREAST))
    assert [row.status for row in result.rows] == [Status.FAILED, Status.DONE]
    assert (
        result.rows[0].error is not None
        and "isn't the file that was counted any more" in result.rows[0].error
    )
    assert result.rows[0].error.endswith("; its files are still those of the last report")
    assert (out / "a.png/report.html").read_bytes() == before["a.png/report.html"]
    assert (out / "deep/b.png/report.html").read_bytes() != before["deep/b.png/report.html"]


def test_what_is_reported_alone_leaves_the_rows_of_all_others(own: tuple[Path, Path]) -> None:
    slides, out = own
    original = (slides / "a.png").read_bytes(), (slides / "a.png").stat().st_mtime_ns
    write_slide(slides / "a.png", paint(9, width=500, height=160))
    assert report_slides(out).failed == 1
    (slides / "deep/b.png").rename(slides / "gone")
    failed = listed(out)["a.png"]
    result = report_slides(out / "deep/b.png", by(BREAST))
    assert result.failed == 0, "nobody asked for the other"
    assert listed(out)["a.png"] == failed and failed["status"] == "failed"
    gone = listed(out)["deep/b.png"]["error"]
    assert gone
    assert report_slides(out / "a.png").failed == 1
    assert listed(out)["deep/b.png"]["error"] == gone, "what is said of it stays said"
    (slides / "gone").rename(slides / "deep/b.png")
    (slides / "a.png").write_bytes(original[0])
    os.utime(slides / "a.png", ns=(original[1], original[1]))
    assert report_slides(out / "a.png").failed == 0
    assert listed(out)["a.png"]["status"] == "done" and not (out / "a.png/error.log").exists()


def test_what_failed_to_be_reported_leaves_no_log_once_a_run_finds_it_as_it_was(
    slides: Path, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.geojson").write_text("no GeoJSON")
    report_slides(out / "a.png", ReportOptions(roi=tmp_path / "a.geojson"))
    assert (out / "a.png/error.log").exists()
    run_all(slides, out)
    assert not (out / "a.png/error.log").exists()


def test_slides_that_failed_keep_their_rows(slides: Path, out: Path, tmp_path: Path) -> None:
    shutil.copytree(slides, tmp_path / "slides")
    (tmp_path / "slides/=bad.png").write_bytes(b"no picture")
    run_all(tmp_path / "slides", out)
    before = written(out)
    assert listed(out)["'=bad.png"]["status"] == "failed"
    result = report_slides(out)
    assert result.failed == 1
    assert written(out) == before


def test_slides_that_are_not_finished_are_left_as_they_are(tmp_path: Path) -> None:
    slides, out, stop = tmp_path / "slides", tmp_path / "out", StopRequest()

    class Stops(NoProgress):
        def stored(self, slide: str, *, tiles: int, cells: int) -> None:
            if slide == "deep/b.png":
                stop.ask()

    write_slide(slides / "a.png", paint(0, width=300, height=100))
    write_slide(slides / "deep/b.png", paint(1, width=1500, height=200))
    run_all(slides / "a.png", out)
    found = find_slides([slides], out=out, fallback_mpp=MPP).slides
    run_batch(found, out, settings=make_settings(), open_pool=Pool().opener, progress=Stops(), stop=stop)
    notes = Notes()
    result = report_slides(out, by(BREAST), progress=notes)
    assert ([row.slide for row in result.rows], result.unfinished) == (["a.png"], 0)
    (line,) = notes.lines
    assert line.startswith("1 slide left out, as not finished: deep/b.png")
    run_all(slides, out, settings=make_settings(conventions=BREAST))
    assert len(listed(out)) == 2


def test_the_folder_of_one_slide_is_reported_alone(out: Path, in_breast: dict[str, bytes]) -> None:
    before, expected = written(out), in_breast
    report_slides(out / "deep/b.png", by(BREAST))
    now = written(out)
    for name in ("ki67.json", "report.html"):
        assert now[f"a.png/{name}"] == before[f"a.png/{name}"]
        assert now[f"deep/b.png/{name}"] == expected[f"deep/b.png/{name}"]
    assert list(listed(out)) == ["a.png", "deep/b.png"]
    report_slides(out / "a.png", by(BREAST))
    assert written(out) == expected


def test_a_slides_folder_that_was_copied_away_is_reported_there(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out / "deep/b.png", tmp_path / "mine")
    (row,) = report_slides(tmp_path / "mine", by(BREAST)).rows
    assert row.slide == "deep/b.png"
    assert (tmp_path / "mine/ki67.json").read_bytes() != (out / "deep/b.png/ki67.json").read_bytes()


def test_a_store_that_does_not_say_what_was_seen_is_told_to_run_again(slides: Path, out: Path) -> None:
    before = written(out)
    shutil.rmtree(out / "a.png/store.zarr/seen")
    result = report_slides(out)
    assert [row.status for row in result.rows] == [Status.FAILED, Status.DONE]
    assert result.rows[0].error is not None and "give the command of the run again" in result.rows[0].error
    pool = Pool()
    run_all(slides, out, pool=pool)
    assert (written(out), pool.computed) == (before, [])


def test_a_damaged_shard_fails_its_slide_alone(slides: Path, out: Path) -> None:
    shard = next((out / "a.png/store.zarr/shards").glob("[0-9]*"))
    shutil.rmtree(shard)
    notes = Notes()
    result = report_slides(out, progress=notes)
    assert [row.slide for row in result.rows] == ["deep/b.png"]
    assert notes.lines == ["1 slide left out, as not finished: a.png; the command of the run continues there"]


def test_exported_tables_follow_the_report(out: Path, raised: dict[str, bytes]) -> None:
    export_slides(out / "a.png", "csv")
    lines = [(out / "a.png/cells.csv").read_text().count("\n")]
    report_slides(out / "a.png", ReportOptions(threshold=RAISED))
    lines.append((out / "a.png/cells.csv").read_text().count("\n"))
    assert lines[1] == 1 + json.loads(raised["a.png/ki67.json"])["total"] < lines[0]


def test_a_folder_without_results_is_a_wrong_argument(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no results of a run; name the folder that was --out"):
        report_slides(tmp_path)
    with pytest.raises(UsageError, match="doesn't exist"):
        report_slides(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_results_without_a_finished_slide_say_so(slides: Path, out: Path) -> None:
    for store in out.rglob("store.zarr"):
        node = json.loads((store / "zarr.json").read_text())
        del node["attributes"]["finished"]
        (store / "zarr.json").write_text(json.dumps(node))
    with pytest.raises(OutputError, match="has no finished slide; give the command of the run again"):
        report_slides(out)
