"""The figures of a slide, and the page with them: all that a result holds is shown, and in its own numbers."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.ki67.made import findings
from tests.report.full import BREAST, box, full_findings, full_result
from tests.report.reading import Page
from wsi_edt.cells import Cells
from wsi_edt.ki67 import Conventions, Ki67Result, SlideFindings, assess
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.findings import classes_of_stain
from wsi_edt.ki67.text import count, ends, percent
from wsi_edt.report.figures import slide_figures
from wsi_edt.report.html import slide_page
from wsi_edt.slides import Staining

HOSTILE = "a <blink>\"&' #1 100%.svs"
REGIONS = (
    box("Tumour <blink> & 'edge'", 100, 100, 700, 600, "Tumor"),
    box("Stroma", 50, 700, 500, 1000, "Stroma"),
    box("Fold", 1300, 900, 1500, 1100, "Ignore*"),
)


def as_read(text: str) -> str:
    """A text with plain spaces, as `Page.text` has it."""
    return re.sub(r"\s+", " ", text)


def page_of(found: SlideFindings, result: Ki67Result) -> Page:
    figures = slide_figures(found, result)
    return Page(slide_page(result, figures, overview="overview.png", cells="cells.geojson"))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ki67Result, Page]:
    found = full_findings(tmp_path_factory.mktemp("slide"), regions=REGIONS, slide=HOSTILE)
    result = full_result(found)
    return result, page_of(found, result)


def test_the_page_is_one_file_without_addresses_or_scripts(everything: tuple[Ki67Result, Page]) -> None:
    page = everything[1]
    assert set(page.links) == {"overview.png", "cells.geojson"}
    assert all(re.match(r"data:image/(jpeg|png);base64,[A-Za-z0-9+/=]+$", address) for address in page.data)
    assert "script" not in page.tags
    words = re.sub(r"data:image/[^\"]+", "", page.source)
    assert not re.search(r"https?:|@import|url\(|\bon\w+=", words)
    assert "blink" not in page.tags
    assert not re.search(r"\b(nan|NaN|inf|None|Markup)\b", words)
    assert len(page.source) < 3_000_000


def test_each_figure_has_words_that_stand_for_it(everything: tuple[Ki67Result, Page]) -> None:
    page = everything[1]
    assert all(len(words) > 20 for words in page.pictures)
    starts = [words.split()[0] for words in page.pictures]
    hotspots, fields = ["H1:", "H2:", "H3:", "D1:"], ["F1:", "F2:", "F3:", "F4:"]
    assert starts == ["The", "The", "Map", "Map", "Map", *hotspots, *fields, "Histogram"]
    axis, slide = page.pictures[:2]
    assert "cut-offs 5, 13.25, 20, 30 %" in axis
    assert "19.1–26.4 %" in axis
    assert slide.endswith("with 2 regions, 6 hotspots, 4 fields")


def test_the_pictures_can_be_opened(everything: tuple[Ki67Result, Page]) -> None:
    shapes = [Image.open(io.BytesIO(base64.b64decode(at.split(",")[1]))).size for at in everything[1].data]
    assert shapes[0] == (1000, 750)  # the slide
    assert shapes[1:3] == [(320, 240)] * 2
    assert len(shapes) == 3 + 8


def test_numbers_are_the_results(everything: tuple[Ki67Result, Page]) -> None:
    result, page = everything
    whole = result.whole
    assert whole.index_interval is not None
    assert f"{percent(whole.index_percent)} 95 % interval {ends(whole.index_interval)} %" in page.text
    for name in ("positive", "negative", "total"):
        number = whole.values[name]
        assert isinstance(number, int)
        assert as_read(count(number)) in page.text
    for verdict in whole.verdicts:
        assert verdict.sentence in page.text
    for area in (*result.of_kind(AreaKind.REGION), *result.of_kind(AreaKind.REGIONS)):
        assert f"{percent(area.index_percent)}" in page.text
        assert area.name in page.text
    assert result.hotspots is not None
    for spot in result.hotspots.found:
        assert spot.remaining is not None
        shown = percent(spot.raw) if spot.order == "index" else f"{count(spot.raw)} /mm²"
        assert as_read(shown) in page.text
    assert "18.2 % (12.5–25.1)" in page.text
    for words in ("24.0 % 20.1 to 28.0", "−1.0 to 7.0", "0.44 0.35 to 0.52", "31 blocks of 0.5 mm"):
        assert words in page.text
    assert result.provenance is not None
    assert result.provenance.model_sha256 in page.text


def test_the_same_findings_give_the_same_page(everything: tuple[Ki67Result, Page], tmp_path: Path) -> None:
    found = full_findings(tmp_path, regions=REGIONS, slide=HOSTILE)
    assert page_of(found, full_result(found)).source == everything[1].source


def test_a_hundred_regions_are_all_on_the_page(tmp_path: Path) -> None:
    names = [f"Region {k}" for k in range(100)]
    regions = [box(name, 15 * k, 100, 15 * k + 12, 900, "Tumor") for k, name in enumerate(names)]
    found = full_findings(tmp_path, regions=regions)
    page = page_of(found, full_result(found))
    assert all(f"R{k + 1} {name} " in page.text for k, name in enumerate(names))
    assert re.search(r"\d+ more are on the page itself", page.text)


def test_what_has_no_index_is_shown_without_one(tmp_path: Path) -> None:
    found = full_findings(tmp_path)
    found = replace(found, cells=classes_of_stain(found.cells, Staining.HE), staining=Staining.HE)
    page = page_of(found, assess(found, BREAST))
    assert "not assessable No DAB" in page.text
    assert "%" not in page.text
    assert [words.split(" of ")[0] for words in page.pictures] == ["The slide with the outline", "Map"]


def test_a_slide_without_cells_and_one_without_tissue_are_shown(tmp_path: Path) -> None:
    found = replace(full_findings(tmp_path), cells=Cells.empty())
    page = page_of(found, assess(found, Conventions()))
    assert "not assessable No cells" in page.text
    assert page.pictures == ["The slide with the outline of its tissue"]
    bare = replace(found, tissue=replace(found.tissue, mask=np.zeros_like(found.tissue.mask)))
    assert "not assessable No tissue" in page_of(bare, assess(bare, Conventions())).text


def test_a_slide_that_is_gone_leaves_all_but_its_pictures(tmp_path: Path) -> None:
    found = full_findings(tmp_path)
    gone = replace(found, source=findings().source)
    page = page_of(gone, full_result(gone))
    assert "The slide isn't shown: a.svs doesn't exist." in page.text
    assert not any(address.startswith("data:image/jpeg") for address in page.data)
    assert [words.split()[0] for words in page.pictures] == ["The", "Map", "Map", "Map", "Histogram"]
    assert "18.2 % (12.5–25.1)" in page.text


def test_the_histogram_fills_the_place_that_three_maps_leave(tmp_path: Path) -> None:
    found = full_findings(tmp_path)
    four = page_of(found, full_result(found)).source
    three = page_of(found, replace(full_result(found), heterogeneity=None)).source
    assert four.index('class="histogram"') > four.index("<h2>Four fields")
    assert three.index('class="maps"') < three.index('class="histogram"') < three.index("<h2>Hotspots")
    assert four.count('class="histogram"') == three.count('class="histogram"') == 1


def test_cells_without_densities_have_no_histogram(tmp_path: Path) -> None:
    found = full_findings(tmp_path)
    found = replace(found, cells=replace(found.cells, dab_od=None, haematoxylin_od=None))
    page = page_of(found, assess(found, Conventions()))
    assert "Histogram" not in " ".join(page.pictures)
    assert "Optical density" not in page.text
