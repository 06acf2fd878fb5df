"""The batch's table and page."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ki67.made import result
from wsi_edt.ki67 import Conventions, CountedBy
from wsi_edt.report.rows import COLUMNS, SummaryRow
from wsi_edt.results.summary import BatchFiles, summary_table


def test_what_is_written_reads_back() -> None:
    rows = [
        SummaryRow.from_result(result(150, 450, slide="a.svs"), seconds=12.34),
        SummaryRow.failed("c, d.svs", 'c, d.svs has no µm/px; "pass" --mpp\n', model="m 1"),
    ]
    table = io.StringIO(summary_table(rows).decode(), newline="")
    assert list(csv.DictReader(table)) == [row.columns() for row in rows]


def test_no_rows_is_a_header() -> None:
    assert summary_table([]).decode() == ",".join(COLUMNS) + "\n"


def test_half_a_letter_is_written_as_an_escape(tmp_path: Path) -> None:
    """JSON may name a region so."""
    files = BatchFiles(tmp_path, ["a.svs"], CountedBy("m 1", "nuclei"), Conventions())
    row = SummaryRow.from_result(result(1, 1, slide="a.svs"), seconds=1.0)
    files.take(replace(row, regions="core \ud800 50.0 %"))
    files.write()
    for name in ("summary.csv", "report.html"):
        assert r"core \ud800 50.0 %" in (tmp_path / name).read_text(encoding="utf-8")


def test_a_row_that_cannot_be_shown_spoils_no_other(tmp_path: Path) -> None:
    files = BatchFiles(tmp_path, ["a.svs", "b.svs"], CountedBy("m 1", "nuclei"), Conventions())
    bad = SummaryRow.from_result(result(1, 1, slide="a.svs"), seconds=1.0)
    assert bad.whole is not None
    with pytest.raises(KeyError):
        files.take(replace(bad, whole=replace(bad.whole, values={})))
    good = SummaryRow.from_result(result(1, 1, slide="b.svs"), seconds=1.0)
    assert files.take(good) is good
    assert files.write() == (good,)


def test_rows_come_in_the_slides_order_as_soon_as_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = BatchFiles(tmp_path, ["a.svs", "b.svs", "c.svs"], CountedBy("m 1", "nuclei"), Conventions())
    for slide in ("c.svs", "a.svs"):
        files.take(SummaryRow.from_result(result(1, 1, slide=slide), seconds=1.0))
        files.write_now_and_then()
    assert "3 slides" in (tmp_path / "report.html").read_text()
    assert [row.slide for row in files.write()] == ["a.svs", "c.svs"]
    with (tmp_path / "summary.csv").open(newline="") as file:
        assert [row["slide"] for row in csv.DictReader(file)] == ["a.svs", "c.svs"]


def test_a_slides_case_stands_beside_it(tmp_path: Path) -> None:
    files = BatchFiles(
        tmp_path, ["a.svs", "b.svs"], CountedBy("m 1", "nuclei"), Conventions(), cases={"b.svs": "K <i> 17"}
    )
    files.take(SummaryRow.from_result(result(1, 1, slide="a.svs"), seconds=1.0))
    files.write_now_and_then()
    assert ">Case<" not in (tmp_path / "report.html").read_text(), "nobody has said any"
    files.rows["b.svs"] = SummaryRow.failed("b.svs", "b.svs is empty", model="m 1")
    assert [row.case for row in files.write()] == ["", "K <i> 17"]
    with (tmp_path / "summary.csv").open(newline="") as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["", "K <i> 17"]
    page = (tmp_path / "report.html").read_text()
    assert ">Case<" in page
    assert page.count("K &lt;i&gt; 17") == 1
