"""Results reported again from their stores: as they were, by other rules, regions and thresholds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.run.reports.helpers import BREAST, RAISED, by, fresh, listed, shown, written
from tests.run.test_batch import run_all
from tests.stand_ins import (
    MPP,
    Pool,
    make_settings,
    paint,
    result_files,
    write_slide,
)
from wsi_edt.cli.run_display import outcome
from wsi_edt.errors import UsageError
from wsi_edt.report.rows import Status
from wsi_edt.results.outputs.slide_report import SlideReport
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.report import ReportOptions, report_slides
from wsi_edt.run.roi import with_roi
from wsi_edt.run.stored import stored_slides


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
