"""Results reported again from their stores: as they were, by other rules, and after accidents."""

from __future__ import annotations

import csv
import html
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.run.test_batch import run_all
from tests.stand_ins import (
    MPP,
    STROMA,
    Pool,
    make_settings,
    paint,
    result_files,
    write_slide,
)
from wsi_edt.cli.run_display import outcome
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.ki67 import Conventions
from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.profiles import PROFILES
from wsi_edt.report.rows import Status
from wsi_edt.results.outputs.slide_report import SlideReport
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.export import export_slides
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.report import ReportOptions, report_slides
from wsi_edt.run.roi import with_roi
from wsi_edt.run.stop import StopRequest
from wsi_edt.run.stored import stored_slides

BREAST = Conventions(profile=PROFILES["breast"], hotspots=HotspotRule(mm2=0.02, cells=20, count=2))
RAISED = 0.8  # between the scores of nuclei that are cut and whole


class Notes(NoProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two slides, of whose negative nuclei every third lacks its right edge, and their results."""
    folder = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(("a.png", "deep/b.png")):
        painted = paint(seed, width=500, height=160)
        for x, y in painted.negative[::3].astype(int).tolist():
            painted.pixels[y - 4 : y + 5, x + 3 : x + 5] = STROMA
        write_slide(folder / "slides" / name, painted)
    run_all(folder / "slides", folder / "out")
    return folder


@pytest.fixture
def slides(made: Path) -> Path:
    """The slides, for tests that leave them as they are."""
    return made / "slides"


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """Their results, for one test."""
    return shutil.copytree(made / "out", tmp_path / "out")


@pytest.fixture(scope="module")
def in_breast(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run by these rules leaves."""
    return fresh(made / "slides", tmp_path_factory.mktemp("breast"), conventions=BREAST)


@pytest.fixture(scope="module")
def raised(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run with a higher threshold leaves."""
    return fresh(made / "slides", tmp_path_factory.mktemp("raised"), threshold=RAISED)


@pytest.fixture
def own(made: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Slides and results of one test's own."""
    slides = shutil.copytree(made / "slides", tmp_path / "slides")
    run_all(slides, tmp_path / "own")
    return slides, tmp_path / "own"


def written(out: Path) -> dict[str, bytes]:
    """All that tells of the slides."""
    names = [*out.rglob("regions.csv"), out / "summary.csv", out / "report.html"]
    return result_files(out) | {path.relative_to(out).as_posix(): path.read_bytes() for path in names}


def shown(page: Path) -> str:
    """A page with its escapes resolved."""
    return html.unescape(page.read_text(encoding="utf-8"))


def fresh(slides: Path, out: Path, **given: Any) -> dict[str, bytes]:
    run_all(slides, out, settings=make_settings(**given))
    return written(out)


def by(conventions: Conventions) -> ReportOptions:
    return ReportOptions(lambda before: conventions)


def listed(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open() as file:
        return {row["slide"]: row for row in csv.DictReader(file)}


def test_by_the_same_rules_the_same_bytes_are_left(out: Path) -> None:
    before = written(out)
    result = report_slides(out)
    assert written(out) == before
    assert [row.status for row in result.rows] == [Status.DONE] * 2
    record = json.loads((out / "report.json").read_text())
    assert (record["slides"], record["failed"], record["configuration"]["threshold"]) == (2, 0, None)


def test_other_rules_give_what_a_run_with_them_gives(out: Path, in_breast: dict[str, bytes]) -> None:
    before = written(out)
    assert in_breast["a.png/ki67.json"] != before["a.png/ki67.json"]
    assert in_breast["a.png/report.html"] != before["a.png/report.html"]
    report_slides(out, by(BREAST))
    assert written(out) == in_breast


def test_a_higher_threshold_gives_what_a_run_with_it_gives(out: Path, raised: dict[str, bytes]) -> None:
    before = written(out)
    counts = [json.loads(one["a.png/ki67.json"])["total"] for one in (before, raised)]
    assert counts[0] > counts[1] > 20, "the case needs cells on both sides"
    report_slides(out, ReportOptions(threshold=RAISED))
    assert written(out) == raised


def test_regions_give_what_a_run_of_them_gives(slides: Path, out: Path, tmp_path: Path) -> None:
    roi = tmp_path / "roi"
    for name, left in (("a", 10), ("b", 40)):
        ring = [[left, 5], [left + 90, 5], [left + 90, 150], [left, 150], [left, 5]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        feature = {"type": "Feature", "geometry": shape, "properties": {"objectType": "annotation"}}
        roi.mkdir(exist_ok=True)
        (roi / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    other = tmp_path / "fresh"
    found, _ = with_roi(find_slides([slides], out=other, fallback_mpp=MPP).slides, roi, out=other)
    run_batch(found, other, settings=make_settings(), open_pool=Pool().opener, progress=NoProgress())
    expected = written(other)
    assert 5 < json.loads(expected["a.png/ki67.json"])["total"] < int(listed(out)["a.png"]["total"]) - 5
    report_slides(out, ReportOptions(roi=roi))
    assert written(out) == expected
    report_slides(out)  # they stay
    assert written(out) == expected


def test_from_regions_to_the_whole_slide_the_picture_of_the_tissue_is_drawn_again(
    slides: Path, out: Path, tmp_path: Path
) -> None:
    before = written(out)
    ring = [[10, 5], [100, 5], [100, 150], [10, 150], [10, 5]]
    regions = tmp_path / "a.geojson"
    regions.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    found = find_slides([slides / "a.png"], out=out, fallback_mpp=MPP).slides
    found, _ = with_roi(found, regions, out=out)
    for once in (found, find_slides([slides], out=out, fallback_mpp=MPP).slides):
        run_batch(once, out, settings=make_settings(), open_pool=Pool().opener, progress=NoProgress())
        drawn = (out / "a.png/tissue.png").read_bytes()
        assert (drawn == before["a.png/tissue.png"]) is (once is not found)
        assert not list(out.rglob("*.changed.*"))
    (out / "a.png/tissue.png").write_bytes(b"mine")
    run_all(slides, out)
    assert (out / "a.png/tissue.changed.png").read_bytes() == b"mine"
    assert written(out) == before


def test_with_no_regions_the_whole_slide_is_reported_again(out: Path, tmp_path: Path) -> None:
    before = written(out)
    ring = [[10, 5], [100, 5], [100, 150], [10, 150], [10, 5]]
    regions = tmp_path / "a.geojson"
    regions.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    report_slides(out / "a.png", ReportOptions(roi=regions))
    assert written(out) != before
    assert report_slides(out, ReportOptions(no_roi=True)).failed == 0
    assert written(out) == before


def test_what_was_computed_in_regions_alone_is_told_to_run_for_the_whole_slide(tmp_path: Path) -> None:
    write_slide(tmp_path / "wide/a.png", paint(3, width=1400, height=200))
    ring = [[0, 0], [60, 0], [60, 60], [0, 60], [0, 0]]
    regions, out = tmp_path / "a.geojson", tmp_path / "out"
    regions.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    found, _ = with_roi(find_slides([tmp_path / "wide"], out=out, fallback_mpp=MPP).slides, regions, out=out)
    run_batch(found, out, settings=make_settings(), open_pool=Pool().opener, progress=NoProgress())
    before = written(out)
    (row,) = report_slides(out, ReportOptions(no_roi=True)).rows
    assert (
        row.error is not None
        and "was computed in its regions alone; give the slide to wsi-edt run" in row.error
    )
    assert result_files(out)["a.png/ki67.json"] == before["a.png/ki67.json"]


def test_regions_that_were_not_computed_are_refused(slides: Path, tmp_path: Path) -> None:
    write_slide(tmp_path / "wide/a.png", paint(3, width=1400, height=200))
    regions = {}
    for name, left in (("near", 0), ("far", 500)):
        ring = [[left, 0], [left + 60, 0], [left + 60, 60], [left, 60], [left, 0]]
        feature = {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {},
        }
        regions[name] = tmp_path / f"{name}.geojson"
        regions[name].write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    out = tmp_path / "out"
    found = find_slides([tmp_path / "wide"], out=out, fallback_mpp=MPP).slides
    found, _ = with_roi(found, regions["near"], out=out)
    run_batch(found, out, settings=make_settings(), open_pool=Pool().opener, progress=NoProgress())
    assert [row.status for row in report_slides(out, ReportOptions(roi=regions["near"])).rows] == [
        Status.DONE
    ]
    (row,) = report_slides(out, ReportOptions(roi=regions["far"])).rows
    assert row.status is Status.FAILED
    assert row.error is not None and "give them to wsi-edt run, which computes what is missing" in row.error


def test_what_is_not_given_stays_as_it_was_reported(slides: Path, out: Path, tmp_path: Path) -> None:
    report_slides(out, by(BREAST))
    report_slides(out, ReportOptions(threshold=RAISED))
    both = written(out)
    assert both == fresh(slides, tmp_path / "fresh", conventions=BREAST, threshold=RAISED)
    report_slides(out)
    assert written(out) == both
    first, _ = stored_slides(out)
    assert (first.threshold, first.conventions) == (RAISED, BREAST)
    assert len(first.findings().cells) == int(listed(out)["a.png"]["total"])


def test_a_threshold_that_is_not_the_models_own_is_said_and_makes_a_second_reader_advisable(
    out: Path,
) -> None:
    report_slides(out, replace(by(BREAST), threshold=RAISED))
    fields = json.loads((out / "a.png" / "ki67.json").read_text())
    assert (fields["threshold"], fields["model_threshold"]) == (0.8, 0.6)
    words = "threshold 0.8 (the model's own is 0.6)"
    assert words in [doubt["name"] for doubt in fields["doubts"]]
    assert not any(verdict["certain"] for verdict in fields["verdicts"])
    page = shown(out / "a.png" / "report.html")
    assert f"Cells were counted by the {words}" in page
    assert "cells exceed a score of 0.8, where the model's own threshold is 0.6" in page
    assert listed(out)["a.png"]["threshold"] == "0.8"
    assert words in shown(out / "report.html")
    report_slides(out, ReportOptions(threshold=0.6))
    assert "cells exceed a score of 0.6, the model's own<" in shown(out / "a.png" / "report.html")
    assert "model's own is" not in shown(out / "a.png" / "report.html") + shown(out / "report.html")
    assert listed(out)["a.png"]["threshold"] == "0.6"


def test_a_threshold_that_leaves_no_cell_is_named_wherever_the_missing_index_is(out: Path) -> None:
    report_slides(out, ReportOptions(threshold=0.999))
    rows = report_slides(out, replace(by(BREAST))).rows  # carries it on
    words = "no cell exceeds the threshold 0.999 (the model's own is 0.6)"
    assert [row.reason for row in rows] == [words] * 2
    assert listed(out)["a.png"]["reason"] == words
    assert words in shown(out / "report.html")
    assert f"N{words[1:]}" in shown(out / "a.png" / "report.html")
    assert words in outcome(rows[0])


def test_a_threshold_that_makes_no_sense_is_refused_before_anything_is_written(out: Path) -> None:
    before = written(out)
    with pytest.raises(
        UsageError, match=r"--threshold 0\.5 is below the 0\.6 of the run, which kept no weaker"
    ):
        report_slides(out, ReportOptions(threshold=0.5))
    with pytest.raises(UsageError, match="isn't a score that cells can exceed"):
        report_slides(out, ReportOptions(threshold=1.0))
    assert written(out) == before


def test_the_runs_own_threshold_undoes_a_higher_one(out: Path) -> None:
    before = written(out)
    report_slides(out, ReportOptions(threshold=RAISED))
    assert written(out) != before
    report_slides(out, ReportOptions(threshold=0.6))
    assert written(out) == before


@pytest.mark.parametrize("wanted", ["in_breast", "raised"])
def test_after_a_kill_the_same_call_mends_it(
    out: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, wanted: str
) -> None:
    options = by(BREAST) if wanted == "in_breast" else ReportOptions(threshold=RAISED)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(SlideReport, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            report_slides(out, options)
    report_slides(out, options)
    assert written(out) == request.getfixturevalue(wanted)


def test_a_run_reports_by_its_own_options_again_without_computing(slides: Path, out: Path) -> None:
    before = written(out)
    report_slides(out, replace(by(BREAST), threshold=RAISED))
    pool = Pool()
    run_all(slides, out, pool=pool)
    assert (written(out), pool.computed) == (before, [])


def test_a_run_with_the_reports_options_has_nothing_to_do(slides: Path, out: Path) -> None:
    report_slides(out, by(BREAST))
    times = {path: path.stat().st_mtime_ns for path in (out / "a.png").glob("*.html")}
    run_all(slides, out, settings=make_settings(conventions=BREAST))
    assert times == {path: path.stat().st_mtime_ns for path in times}


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
