"""The batch's page: what it says, that it opens offline, and that nothing in a name or an error breaks it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.ki67.made import BLURRED, COUNTS, result
from tests.report.reading import Page, check_links
from wsi_edt.ki67 import Conventions
from wsi_edt.ki67.result import RESEARCH_USE
from wsi_edt.report.batch import batch_page
from wsi_edt.report.rows import SummaryRow

COUNTED = result(1250, 3750, mm2=1.5)
HOSTILE = "a <b>\"&' #1 100%.svs"


def page_of_batch(rows: list[SummaryRow], *, slides: int) -> Page:
    return Page(
        batch_page(
            rows,
            model="ki67-w18 1.0",
            counts=COUNTS,
            slides=slides,
            conventions=Conventions(),
            summary="summary.csv",
            report="report.html",
        )
    )


def batch_rows() -> list[SummaryRow]:
    return [
        SummaryRow.from_result(COUNTED, seconds=3.0),
        SummaryRow.from_result(result(1, 3, mm2=0.01, slide=HOSTILE), seconds=3.0),
        SummaryRow.from_result(result(mm2=0.0, slide="c.svs"), seconds=1.0),
        SummaryRow.failed("d.svs", "d.svs has no µm/px; pass --mpp <script>", model="m"),
    ]


def test_the_batch_page_has_a_row_for_each_slide() -> None:
    page = page_of_batch(batch_rows(), slides=4)
    assert page.tags.count("tr") == 1 + 4
    assert "4 slides" in page.text
    assert "2 with an index , 1 not assessable, 1 failed" in page.text.replace("index,", "index ,")
    assert "25.0 %" in page.text
    assert "< 500 cells" in page.text
    assert "not assessable: no tissue; --no-tissue-mask looks everywhere" in page.text
    assert "d.svs has no µm/px; pass --mpp <script>" in page.text
    assert "script" not in page.tags
    assert RESEARCH_USE in page.text
    assert COUNTS in page.text


def test_quality_is_said() -> None:
    rows = [
        SummaryRow.from_result(result(1, 3, slide="a.svs", quality=BLURRED), seconds=1.0),
        SummaryRow.from_result(result(1, 3, slide="b.svs"), seconds=1.0),
    ]
    assert rows[0].columns()["quality"] == "out of focus"
    text = page_of_batch(rows, slides=2).text
    assert "haematoxylin and DAB out of focus" in text
    assert "haematoxylin and DAB no flag" in text


def test_links_lead_to_files_that_are_there(tmp_path: Path) -> None:
    """Also for names with spaces, quotes, # and %; a failed slide has no page and so no link."""
    rows = batch_rows()
    (tmp_path / "summary.csv").touch()
    for row in rows[:3]:
        folder = tmp_path / row.slide
        folder.mkdir(parents=True)
        (folder / "report.html").touch()
    page = page_of_batch(rows, slides=4)
    check_links(page, tmp_path)
    assert not any("d.svs" in link for link in page.links)


def test_the_page_opens_offline() -> None:
    page = page_of_batch(batch_rows(), slides=4)
    assert not re.search(r"https?:|@import|url\(", page.source)


def test_a_batch_of_nothing_but_failures_opens() -> None:
    text = page_of_batch(batch_rows()[3:], slides=1).text
    assert "1 slide" in text
    assert "1 slides" not in text


def test_a_batch_that_goes_on_says_so() -> None:
    assert "3 slides, 1 so far" in page_of_batch(batch_rows()[:1], slides=3).text
