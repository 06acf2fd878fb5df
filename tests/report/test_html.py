"""The slide's page: what it says, that it opens offline, and that nothing in a name breaks it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ki67.made import BLURRED, COUNTS, result
from tests.report.reading import Page, check_links
from wsi_edt.ki67 import Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.hotspots import Hotspot, Hotspots, Order
from wsi_edt.ki67.result import RESEARCH_USE
from wsi_edt.ki67.text import area, count, percent
from wsi_edt.report.figures import SlideFigures
from wsi_edt.report.html import slide_page
from wsi_edt.report.maps import Maps
from wsi_edt.slides import Staining

COUNTED = result(1250, 3750, mm2=1.5)
HOSTILE = "a <blink>\"&' #1 100%.svs"
NO_FIGURES = SlideFigures(None, Maps(None, None, None, None, 0.0, False), {}, None)


def page_of(result: Ki67Result, *, cells: str = "cells.geojson") -> Page:
    """The page without its figures, which have tests of their own."""
    return Page(slide_page(result, NO_FIGURES, overview="overview.png", cells=cells))


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


def test_where_there_is_no_hotspot_the_page_says_why() -> None:
    none = Hotspots(HotspotRule(), (), "no hotspot: no disc of 1 mm² holds 6,000 cells with a class")
    text = page_of(replace(COUNTED, hotspots=none)).text
    assert "Hotspots No hotspot: no disc of 1 mm² holds 6,000 cells with a class." in text
    assert "Hotspots" not in page_of(replace(COUNTED, hotspots=None)).text


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
    """Beside the index where something is wrong, in one quiet line where nothing is."""
    flagged, clean = page_of(result(1250, 3750, mm2=1.5, quality=BLURRED)), page_of(COUNTED)
    assert "At least 31 % of the tissue is out of focus" in flagged.text
    assert "Scan the slide again" in flagged.text
    assert "no quality flag" not in flagged.text
    assert "25.0 %" in flagged.text
    assert "no quality flag" in clean.text
    assert "out of focus" not in clean.text


def test_nuclei_without_a_class_stand_alone() -> None:
    text = page_of(result(0, 0, 900, staining=Staining.HE)).text
    assert "Nuclei without a class 900" in text
    assert "Positive" not in text


def test_links_lead_to_files_that_are_there(tmp_path: Path) -> None:
    """Also for names with spaces, quotes, # and %."""
    for slide in (COUNTED.slide, HOSTILE):
        folder = tmp_path / slide
        folder.mkdir(parents=True)
        for name in ("report.html", "overview.png", "cells.geojson.gz"):
            (folder / name).touch()
        check_links(page_of(result(1, 3, slide=slide), cells="cells.geojson.gz"), folder)


def test_names_are_text_and_never_markup() -> None:
    page = page_of(result(1, 3, slide=HOSTILE))
    assert HOSTILE in page.text
    assert "blink" not in page.tags


def test_the_page_opens_offline_without_scripts() -> None:
    page = page_of(COUNTED)
    assert "script" not in page.tags
    assert not re.search(r"https?:|@import|url\(", page.source)


def test_the_same_result_gives_the_same_page() -> None:
    assert page_of(COUNTED).source == page_of(result(1250, 3750, mm2=1.5)).source


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
    assert (area(0.0052), area(0.000075), area(0.0000012)) == ("0.0052", "0.000075", "0.000001")
    assert (area(0.0), area(0.9999)) == ("0.000", "1.000")


def test_a_hotspot_that_is_not_above_the_slides_own_index_is_told() -> None:
    """Of the slide 25 % are positive, 833 in a mm²."""
    place = replace(COUNTED.whole, kind=AreaKind.HOTSPOT)
    spots = (
        Hotspot("a", Order.INDEX, 1, 30.0, Estimate(25.1, 20.0, 30.0)),
        Hotspot("b", Order.INDEX, 2, 29.0, Estimate(24.9, 20.0, 30.0)),
        Hotspot("c", Order.POSITIVES, 1, 990.0, Estimate(830.0, 700.0, 900.0)),
        Hotspot("d", Order.POSITIVES, 2, 980.0, Estimate(840.0, 700.0, 900.0)),
        Hotspot("e", Order.INDEX, 3, 28.0, None),
    )
    areas = tuple(replace(place, name=spot.area) for spot in spots)
    found = replace(COUNTED, areas=(*COUNTED.areas, *areas), hotspots=Hotspots(HotspotRule(), spots))
    rows = re.findall(r"<tr[^>]*><td><b>(.*?)</tr>", page_of(found).source)
    assert [row[:2] for row in rows] == ["H1", "H2", "D1", "D2", "H3"]
    assert [row[:2] for row in rows if "not above the slide's own" in row] == ["H2", "D1"]
