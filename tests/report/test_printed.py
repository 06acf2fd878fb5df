"""What is printed of a page: two A4 pages, by a browser and by WeasyPrint."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.report.browser import BROWSER, needs_browser
from tests.report.full import box, full_findings, full_result
from wsi_edt.errors import UsageError
from wsi_edt.ki67 import SlideFindings
from wsi_edt.report.figures import slide_figures
from wsi_edt.report.html import slide_page
from wsi_edt.report.pdf import pdf_of, refuse_without_weasyprint, weasyprint_loaded
from wsi_edt.slides.quality import SlideQuality

BAD = SlideQuality(
    {
        "out_of_focus_share": 0.31,
        "pen_share": 0.3,
        "counterstain_contrast": 0.001,
        "background_dab": 0.5,
        "stain_distance": 9.0,
        "zero_share": 0.3,
        "black_share": 0.3,
    }
)
A4_PT = (595.3, 841.9)


def has_weasyprint() -> bool:
    try:
        refuse_without_weasyprint()
    except UsageError:
        return False
    return True


needs_weasyprint = pytest.mark.skipif(
    not has_weasyprint(), reason="WeasyPrint or the system's Pango is missing"
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A usual page, and one with all that may be said of a slide."""
    plain = full_findings(tmp_path_factory.mktemp("plain"))
    regions = [
        box(f"A region's name that is as long as some are, {k}", 7 * k, 100, 7 * k + 6, 900, "Tumor")
        for k in range(200)
    ]
    crowded = replace(
        full_findings(tmp_path_factory.mktemp("crowded"), regions=regions, slide="folder/" * 12 + "a.svs"),
        quality=BAD,
        mpp_stated=False,
        remark="plane 1 of 3 is read",
    )
    assert len(BAD.flags) == 7
    found = {"plain": plain, "crowded": crowded}
    return {name: _page(one) for name, one in found.items()} | {
        f"crowded without {what}": _page(crowded, without=what) for what in ("places", "hotspots", "fields")
    }


def _page(found: SlideFindings, *, without: str = "") -> str:
    result = full_result(found)
    if without in ("places", "hotspots"):
        result = replace(result, hotspots=None)
    if without in ("places", "fields"):
        result = replace(result, four_fields=None)
    if without:
        result = replace(result, heterogeneity=None)
    return slide_page(result, slide_figures(found, result), overview="o.png", cells="c.geojson")


def sizes(pdf: bytes) -> list[tuple[float, float]]:
    """The size of each page of a browser's PDF, in points."""
    pages = re.findall(rb"/Type\s*/Page\b(?!s).*?/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf, re.DOTALL)
    return [(float(width), float(height)) for width, height in pages]


@needs_browser
@pytest.mark.parametrize(
    "name", ["plain", "crowded", *(f"crowded without {what}" for what in ("places", "hotspots", "fields"))]
)
def test_a_browser_prints_two_a4_pages(pages: dict[str, str], name: str, tmp_path: Path) -> None:
    assert BROWSER is not None
    page, pdf = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(pages[name], encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}"]
    command = [BROWSER, *options, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    found = sizes(pdf.read_bytes())
    assert len(found) == 2
    np.testing.assert_allclose(found, [A4_PT] * 2, atol=1)


@needs_weasyprint
def test_weasyprint_makes_two_a4_pages_and_the_same_bytes_again(pages: dict[str, str]) -> None:
    printed = weasyprint_loaded().HTML(string=pages["crowded"]).render().pages
    assert len(printed) == 2
    np.testing.assert_allclose(
        [(page.width * 0.75, page.height * 0.75) for page in printed], [A4_PT] * 2, atol=1
    )
    assert pdf_of(pages["plain"]) == pdf_of(pages["plain"])


@needs_weasyprint
def test_nothing_is_fetched(tmp_path: Path) -> None:
    """A name of a slide that is an address stays a name, and no file of this machine gets into a page."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"x" * 10)
    page = f'<p>ab</p><img src="{secret.as_uri()}" alt=""><img src="http://127.0.0.1:9/a.png" alt="">'
    assert pdf_of(page) == pdf_of("<p>ab</p><img alt=''><img alt=''>")


def test_what_is_missing_is_said_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)  # as if it weren't installed
    with pytest.raises(
        UsageError, match=r"--pdf needs the package WeasyPrint; `pip install 'wsi-edt\[pdf\]'`"
    ):
        refuse_without_weasyprint()


@needs_weasyprint
def test_pictures_that_were_cut_short_stay_refused() -> None:
    loads = "from wsi_edt.report.pdf import weasyprint_loaded; weasyprint_loaded()"
    asks = "from PIL import ImageFile; assert not ImageFile.LOAD_TRUNCATED_IMAGES"
    subprocess.run([sys.executable, "-c", f"{loads}; {asks}"], check=True)  # it is loaded once a process
