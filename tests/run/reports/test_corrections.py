"""Results with what a person corrected: by `report`, by a later run, and live."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shapely import box

from tests.run.reports.helpers import RAISED, listed, shown, written
from tests.run.test_batch import run_all
from tests.stand_ins import make_settings, paint, write_slide
from wsi_edt.corrections import (
    Add,
    Correction,
    Delete,
    Exclude,
    Flip,
    MakeRegion,
    NamedCells,
    Record,
    Threshold,
    Undo,
)
from wsi_edt.errors import UsageError
from wsi_edt.ki67 import assess
from wsi_edt.qupath.regions import Region
from wsi_edt.results.outputs import read_ki67
from wsi_edt.results.seen import Drawn
from wsi_edt.run.export import export_slides
from wsi_edt.run.report import ReportOptions, report_slides
from wsi_edt.run.rescore import Rescorer
from wsi_edt.run.stored import StoredSlide, stored_slides

EXCLUDED = box(0, 0, 120, 80)


def first(out: Path) -> StoredSlide:
    return stored_slides(out)[0]


def correct(out: Path, *corrections: Correction) -> Record:
    kept = first(out).corrections
    return kept.append(corrections, who="Ada <Lovelace>", seen=kept.read().revision)


def some(slide: StoredSlide, kind: int, count: int) -> NamedCells:
    cells = slide.every_cell()
    return NamedCells.of(cells, np.flatnonzero(cells.class_id == kind)[:count].tolist())


def ki67_of_fresh(slides: Path, out: Path) -> dict[str, object]:
    run_all(slides, out)
    return ki67(out)


def ki67(out: Path) -> dict[str, object]:
    fields: dict[str, object] = json.loads((out / "a.png/ki67.json").read_text())
    return fields


def test_a_report_has_the_numbers_before_and_after_and_who_corrected(out: Path) -> None:
    before = ki67(out)
    made: list[Correction] = [
        Flip(some(first(out), 0, 3)),
        Delete(some(first(out), 1, 2)),
        Add(50, 60.25, "Negative"),
    ]
    correct(out, *made)
    report_slides(out / "a.png")
    after = ki67(out)
    moved = {
        name: int(str(after[name])) - int(str(before[name])) for name in ("positive", "negative", "total")
    }
    assert moved == {"positive": 3 - 2, "negative": 1 - 3, "total": 1 - 2}
    assert after["areas_before"] == before["areas"]
    features = json.loads((out / "a.png/cells.geojson").read_text())["features"]
    assert len(features) == after["total"]
    page = shown(out / "a.png/report.html")
    assert "corrected by Ada <Lovelace>; without corrections" in page
    assert all(text in page for text in ("3 cells flipped", "2 cells deleted", "1 negative cell added"))
    assert "Ada <Lovelace>" not in (out / "a.png/report.html").read_text()
    row = listed(out)["a.png"]
    assert (row["total"], row["corrections"]) == (str(after["total"]), "3")
    assert float(row["index_before_percent"]) == pytest.approx(before["index_percent"], abs=0.006)
    assert listed(out)["deep/b.png"]["corrections"] == ""


def test_a_later_run_and_tables_have_the_corrections_too(slides: Path, out: Path, tmp_path: Path) -> None:
    correct(out, Delete(some(first(out), 0, 5)))
    run_all(slides, out)  # without a word about corrections
    by_run = written(out)
    report_slides(out / "a.png")
    assert written(out) == by_run
    assert ki67(out)["corrections"] is not None
    export_slides(out, "csv", out=tmp_path / "tables")
    rows = (tmp_path / "tables/a.png/cells.csv").read_text().splitlines()
    assert len(rows) - 1 == ki67(out)["total"]


def test_what_was_corrected_after_the_last_report_waits_for_the_next(out: Path, tmp_path: Path) -> None:
    reported = ki67(out)["total"]
    correct(out, Delete(some(first(out), 0, 5)))
    export_slides(out, "csv", out=tmp_path)
    assert len((tmp_path / "a.png/cells.csv").read_text().splitlines()) - 1 == reported


def test_what_is_undone_leaves_the_numbers_as_they_were(out: Path) -> None:
    before = ki67(out)
    correct(out, Delete(some(first(out), 0, 5)), Exclude(EXCLUDED), Undo(1), Undo(2))
    report_slides(out / "a.png")
    after = ki67(out)
    assert after["areas"] == before["areas"] == after["areas_before"]
    (out / "a.png/corrections.json").unlink()
    report_slides(out / "a.png")
    assert ki67(out) == before


def test_live_numbers_are_those_of_the_report(out: Path) -> None:
    slide = first(out)
    live = Rescorer(slide, slide.every_cell())
    assert live.before() == read_ki67(out / "a.png/ki67.json")
    record = correct(
        out, Flip(some(slide, 0, 4)), Exclude(EXCLUDED), MakeRegion("core", box(100, 20, 200, 140))
    )
    result = live.after(record)
    report_slides(out / "a.png")
    assert result == read_ki67(out / "a.png/ki67.json")
    assert [area.name for area in result.areas][1] == "core"


def test_a_threshold_gives_what_a_report_with_it_gives(out: Path, raised: dict[str, bytes]) -> None:
    slide = first(out)
    expected = json.loads(raised["a.png/ki67.json"])["areas"]
    live = Rescorer(slide, slide.every_cell()).after(Record(), threshold=RAISED)
    assert live.to_json()["areas"] == expected
    correct(out, Threshold(RAISED))
    report_slides(out / "a.png")
    assert ki67(out)["areas"] == expected
    assert ki67(out)["threshold"] == RAISED


def test_an_excluded_area_is_one_that_was_drawn_as_ignored(out: Path) -> None:
    slide = first(out)
    drawn = Drawn(regions=(Region("x", EXCLUDED, "Ignore*"),))
    expected = assess(slide.findings(drawn=drawn), slide.conventions)
    assert 0 < expected.whole.total < int(str(ki67(out)["total"])) - 5
    result = Rescorer(slide, slide.every_cell()).after(correct(out, Exclude(EXCLUDED)))
    assert replace(result, corrections=None, before=()).areas == expected.areas


def test_of_a_slide_reported_by_regions_alone_others_arent_counted(out: Path) -> None:
    slide = first(out)
    alone = replace(
        slide,
        seen=replace(slide.seen, drawn=Drawn((Region("seen", box(0, 0, 150, 150)),), "hash", alone=True)),
    )
    live = Rescorer(alone, alone.every_cell())
    beyond = MakeRegion("beyond", box(100, 20, 200, 140))
    with pytest.raises(UsageError, match="where the network didn't look"):
        live.refuse(beyond)
    within = MakeRegion("within", box(10, 20, 140, 140))
    live.refuse(within)
    result = live.after(correct(out, beyond, within))
    assert [area.name for area in result.areas if area.kind == "region"] == ["seen", "within"]
    assert "left out as the network didn't look everywhere there: 'beyond'" in str(result.remark)


def test_cells_of_another_run_are_told_and_left_alone(out: Path) -> None:
    before = ki67(out)
    correct(out, Delete(NamedCells((0, 1), (1.0, 2.0), (1.0, 2.0), ("Positive", "Negative"))))
    report_slides(out / "a.png")
    assert ki67(out)["areas"] == before["areas"]
    assert "2 corrected cells aren't there any more" in shown(out / "a.png/report.html")


def test_corrections_of_another_file_in_its_place_are_kept_aside(own: tuple[Path, Path]) -> None:
    slides, out = own
    correct(out, Add(30.5, 30.5, "Positive"))
    record = (out / "a.png/corrections.json").read_bytes()
    write_slide(slides / "a.png", paint(9, width=500, height=160))
    run_all(slides, out, settings=make_settings(overwrite=True))
    assert not (out / "a.png/corrections.json").exists()
    assert (out / "a.png/corrections.earlier.json").read_bytes() == record
    assert "corrections.earlier.json, and don't count" in str(ki67(out)["remark"])
    assert ki67(out)["areas"] == ki67_of_fresh(slides, out.parent / "fresh")["areas"]
    correct(out, Add(40.5, 30.5, "Positive"))
    run_all(slides, out, settings=make_settings(overwrite=True))
    assert (out / "a.png/corrections.json").exists()  # of this file


def test_thresholds_that_contradict_or_cant_be_are_refused(out: Path) -> None:
    correct(out, Threshold(RAISED))
    with pytest.raises(UsageError, match="has a threshold that a person set"):
        report_slides(out, ReportOptions(threshold=RAISED))
    slide = first(out)
    with pytest.raises(UsageError, match="below"):
        Rescorer(slide, slide.every_cell()).refuse(Threshold(0.0))


def test_a_damaged_record_fails_its_slide_alone(out: Path) -> None:
    (out / "a.png/corrections.json").write_text("{}")
    assert [row.status for row in report_slides(out).rows] == ["failed", "done"]
    assert "isn't a record of corrections" in listed(out)["a.png"]["error"]
