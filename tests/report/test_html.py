"""The pages: what they say, that they open offline, and that nothing in a name or an error breaks them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from wsi_edt.ki67.index import NO_CELLS, NO_DAB, Ki67Score
from wsi_edt.ki67.result import RESEARCH_USE, WHAT_IS_COUNTED, SlideResult
from wsi_edt.report.html import area, count, percent, write_batch_report, write_slide_report
from wsi_edt.report.rows import SummaryRow, write_summary


class Page(HTMLParser):
    """A page's text, links and tags; tags that don't match fail."""

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
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


def result(score: Ki67Score, *, slide: str = "folder/a.svs", mpp_stated: bool = True) -> SlideResult:
    return SlideResult(slide, score, "haematoxylin and DAB", 0.25, mpp_stated, "ki67-w18 1.0")


SCORED = Ki67Score(1250, 3750, 0, 1.5, None)
HOSTILE = "a <b>\"&' #1 100%.svs"


def slide_page(tmp_path: Path, slide_result: SlideResult) -> Page:
    path = tmp_path / "report.html"
    write_slide_report(path, slide_result, overview="overview.png", cells_file="cells.geojson")
    return Page(path)


def test_the_slide_page_says_all_that_is_known(tmp_path: Path) -> None:
    text = slide_page(tmp_path, result(SCORED)).text
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
        WHAT_IS_COUNTED,
    ):
        assert expected in text, expected
    assert "Fewer than" not in text
    assert "not assessable" not in text
    assert "given by the user" not in text


def test_flags_are_shown(tmp_path: Path) -> None:
    text = slide_page(tmp_path, result(Ki67Score(10, 30, 0, 0.02, None), mpp_stated=False)).text
    assert "Fewer than 500 cells" in text
    assert "given by the user" in text


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (Ki67Score(0, 0, 0, 2.0, NO_CELLS), "No cells"),
        (Ki67Score(0, 0, 900, 2.0, NO_DAB), "No DAB"),
        (Ki67Score(300, 700, 0, 2.0, NO_DAB), "No DAB"),
    ],
)
def test_what_is_not_assessable_has_no_percentage(tmp_path: Path, score: Ki67Score, reason: str) -> None:
    page = slide_page(tmp_path, result(score))
    assert f"not assessable {reason}" in page.text
    assert "%" not in page.text
    assert RESEARCH_USE in page.text


def test_nuclei_without_a_class_stand_alone(tmp_path: Path) -> None:
    text = slide_page(tmp_path, result(Ki67Score(0, 0, 900, 2.0, NO_DAB))).text
    assert "Nuclei without a class 900" in text
    assert "Positive" not in text


def batch_rows() -> list[SummaryRow]:
    return [
        SummaryRow.from_result(result(SCORED, slide="folder/a.svs"), seconds=3.0),
        SummaryRow.from_result(result(Ki67Score(1, 3, 0, 0.01, None), slide=HOSTILE), seconds=3.0),
        SummaryRow.from_result(result(Ki67Score(0, 0, 0, 0.0, NO_CELLS), slide="c.svs"), seconds=1.0),
        SummaryRow.failed("d.svs", "d.svs has no µm/px; pass --mpp <script>", seconds=0.1, model="m"),
    ]


def test_the_batch_page_has_a_row_for_each_slide(tmp_path: Path) -> None:
    write_batch_report(tmp_path / "report.html", batch_rows(), model="ki67-w18 1.0", slides=4)
    page = Page(tmp_path / "report.html")
    assert page.tags.count("tr") == 1 + 4
    assert "4 slides" in page.text
    assert "2 with an index , 1 not assessable, 1 failed" in page.text.replace("index,", "index ,")
    assert "25.0 %" in page.text
    assert "< 500 cells" in page.text
    assert "not assessable: no cells" in page.text
    assert "d.svs has no µm/px; pass --mpp <script>" in page.text
    assert "script" not in page.tags
    assert RESEARCH_USE in page.text


def test_links_lead_to_files_that_are_there(tmp_path: Path) -> None:
    """Also for names with spaces, quotes, # and %; a failed slide has no page and so no link."""
    rows = batch_rows()
    write_batch_report(tmp_path / "report.html", rows, model="m", slides=4)
    write_summary(tmp_path / "summary.csv", rows)
    for row in rows[:3]:
        write_slide_report(
            tmp_path / row.slide / "report.html",
            result(SCORED, slide=row.slide),
            overview="overview.png",
            cells_file="cells.geojson.gz",
        )
        (tmp_path / row.slide / "overview.png").touch()
        (tmp_path / row.slide / "cells.geojson.gz").touch()
    for page in (tmp_path / "report.html", *(tmp_path / row.slide / "report.html" for row in rows[:3])):
        links = Page(page).links
        assert links
        for link in links:
            assert not re.match(r"\w+:|//|/|#|\?", link), f"{link} leads out of the results"
            assert "#" not in link
            assert "?" not in link
            assert (page.parent / unquote(link)).is_file(), link
    assert not any("d.svs" in link for link in Page(tmp_path / "report.html").links)


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    page = slide_page(tmp_path, result(SCORED, slide=HOSTILE))
    assert HOSTILE in page.text
    assert "b" not in page.tags


def test_pages_open_offline_without_scripts(tmp_path: Path) -> None:
    write_batch_report(tmp_path / "report.html", batch_rows(), model="m", slides=4)
    for page in (slide_page(tmp_path / "a", result(SCORED)), Page(tmp_path / "report.html")):
        assert "script" not in page.tags
        assert not re.search(r"https?:|@import|url\(", page.source)


def test_the_same_result_gives_the_same_page(tmp_path: Path) -> None:
    assert (
        slide_page(tmp_path / "a", result(SCORED)).source == slide_page(tmp_path / "b", result(SCORED)).source
    )


def test_a_batch_of_nothing_but_failures_opens(tmp_path: Path) -> None:
    write_batch_report(tmp_path / "report.html", batch_rows()[3:], model="m", slides=1)
    text = Page(tmp_path / "report.html").text
    assert "1 slide" in text
    assert "1 slides" not in text


def test_a_batch_that_goes_on_says_so(tmp_path: Path) -> None:
    write_batch_report(tmp_path / "report.html", batch_rows()[:1], model="m", slides=3)
    assert "3 slides, 1 so far" in Page(tmp_path / "report.html").text


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
