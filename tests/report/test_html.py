"""The pages: what they say, that they open offline, and that nothing in a name or an error breaks them."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.ki67.made import BLURRED, COUNTS, result
from wsi_edt.ki67 import Conventions, Ki67Result
from wsi_edt.ki67.result import RESEARCH_USE
from wsi_edt.ki67.text import area, count, percent
from wsi_edt.report.batch import batch_page
from wsi_edt.report.html import slide_page
from wsi_edt.report.rows import SummaryRow
from wsi_edt.slides import Staining


class Page(HTMLParser):
    """A page's text, links and tags; tags that don't match fail."""

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.source = source
        self.feed(self.source)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


COUNTED = result(1250, 3750, mm2=1.5)
HOSTILE = "a <b>\"&' #1 100%.svs"


def page_of(result: Ki67Result, *, cells: str = "cells.geojson") -> Page:
    return Page(slide_page(result, conventions=Conventions(), overview="overview.png", cells=cells))


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


def test_the_slide_page_says_all_that_is_known() -> None:
    text = page_of(COUNTED).text
    for expected in (
        "folder/a.svs",
        "25.0 %",
        "Positive 1 250",
        "Negative 3 750",
        "Cells in all 5 000",
        "1.50 mm²",
        "3 333 cells/mm²",
        "haematoxylin and DAB",
        "0.25 µm/px",
        "ki67-w18 1.0",
        RESEARCH_USE,
        COUNTS,
    ):
        assert expected in text, expected
    assert "Fewer than" not in text
    assert "not assessable" not in text
    assert "given by the user" not in text


def test_a_remark_on_how_the_slide_was_read_is_shown() -> None:
    assert "Plane 1 of 3 is read" in page_of(replace(COUNTED, remark="plane 1 of 3 is read")).text


def test_flags_are_shown() -> None:
    text = page_of(result(10, 30, mm2=0.02, mpp_stated=False)).text
    assert "Fewer than 500 cells" in text
    assert "given by the user" in text


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (result(mm2=2.0), "No cells"),
        (result(mm2=0.0), "No tissue; --no-tissue-mask looks everywhere"),
        (result(0, 0, 900, staining=Staining.HE), "No DAB"),
        (result(300, 700, staining=Staining.HE), "No DAB"),
    ],
)
def test_what_is_not_assessable_has_no_percentage(found: Ki67Result, reason: str) -> None:
    page = page_of(found)
    assert f"not assessable {reason}" in page.text
    assert "%" not in page.text
    assert RESEARCH_USE in page.text


def test_quality_is_said_and_costs_nothing() -> None:
    """A section of its own where something is wrong, one quiet line where nothing is."""
    flagged, clean = page_of(result(1250, 3750, mm2=1.5, quality=BLURRED)), page_of(COUNTED)
    assert "Quality of the slide At least 31 % of the tissue is out of focus" in flagged.text
    assert "Scan the slide again" in flagged.text
    assert "no quality flag" not in flagged.text
    assert "25.0 %" in flagged.text
    assert "Quality no quality flag" in clean.text
    assert "Quality of the slide" not in clean.text
    rows = [
        SummaryRow.from_result(result(1, 3, slide="a.svs", quality=BLURRED), seconds=1.0),
        SummaryRow.from_result(result(1, 3, slide="b.svs"), seconds=1.0),
    ]
    assert rows[0].columns()["quality"] == "out of focus"
    text = page_of_batch(rows, slides=2).text
    assert "haematoxylin and DAB out of focus" in text
    assert "haematoxylin and DAB no flag" in text


def test_nuclei_without_a_class_stand_alone() -> None:
    text = page_of(result(0, 0, 900, staining=Staining.HE)).text
    assert "Nuclei without a class 900" in text
    assert "Positive" not in text


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


def test_links_lead_to_files_that_are_there(tmp_path: Path) -> None:
    """Also for names with spaces, quotes, # and %; a failed slide has no page and so no link."""
    rows = batch_rows()
    (tmp_path / "summary.csv").touch()
    (tmp_path / "report.html").touch()
    pages = [(tmp_path, page_of_batch(rows, slides=4))]
    for row in rows[:3]:
        folder = tmp_path / row.slide
        folder.mkdir(parents=True)
        for name in ("report.html", "overview.png", "cells.geojson.gz"):
            (folder / name).touch()
        pages.append((folder, page_of(result(1, 3, slide=row.slide), cells="cells.geojson.gz")))
    for folder, page in pages:
        assert page.links
        for link in page.links:
            assert not re.match(r"\w+:|//|/|#|\?", link), f"{link} leads out of the results"
            assert "#" not in link
            assert "?" not in link
            assert (folder / unquote(link)).is_file(), link
    assert not any("d.svs" in link for link in pages[0][1].links)


def test_names_are_text_and_never_markup() -> None:
    page = page_of(result(1, 3, slide=HOSTILE))
    assert HOSTILE in page.text
    assert "b" not in page.tags


def test_pages_open_offline_without_scripts() -> None:
    for page in (page_of(COUNTED), page_of_batch(batch_rows(), slides=4)):
        assert "script" not in page.tags
        assert not re.search(r"https?:|@import|url\(", page.source)


def test_the_same_result_gives_the_same_page() -> None:
    assert page_of(COUNTED).source == page_of(result(1250, 3750, mm2=1.5)).source


def test_a_batch_of_nothing_but_failures_opens() -> None:
    text = page_of_batch(batch_rows()[3:], slides=1).text
    assert "1 slide" in text
    assert "1 slides" not in text


def test_a_batch_that_goes_on_says_so() -> None:
    assert "3 slides, 1 so far" in page_of_batch(batch_rows()[:1], slides=3).text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0.0 %"),
        (0.001, "< 0.1 %"),
        (0.05, "0.1 %"),
        (23.188, "23.2 %"),
        (99.94, "99.9 %"),
        (99.97, "> 99.9 %"),
        (100.0, "100.0 %"),
    ],
)
def test_an_index_is_never_shown_as_none_or_all_where_it_isnt(value: float | None, shown: str) -> None:
    assert percent(value) == shown


def test_numbers_for_reading() -> None:
    assert count(1234567) == "1\u202f234\u202f567"
    assert count(None) == "–"
    assert (area(0.0256), area(1.0), area(None)) == ("0.026", "1.00", "–")
