"""What lies over the slide: heat maps, cells that count nowhere, and both ways of drawing cells."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.viewer.serving import Client, viewing
from wsi_edt.cells import Cells
from wsi_edt.viewer.cells_bin import packed

pytest.importorskip("playwright.sync_api", reason="needs playwright")
from tests.viewer.test_page import CHROMIUM, Window
from tests.viewer.test_page import browser as browser

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

_SAYS_CARD = """for (const of of [WebGL2RenderingContext.prototype]) {
  const own = of.getParameter;
  of.getParameter = function (name) { return name === 0x9246 ? "A card" : own.call(this, name); };
}"""


class WithCard:
    """A browser whose pages take their WebGL for a graphics card's."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    def new_page(self, **options: Any) -> Any:
        page = self._browser.new_page(**options)
        page.add_init_script(_SAYS_CARD)
        return page


def test_cells_that_count_nowhere_are_told_from_others() -> None:
    cells = Cells(np.zeros(3), np.arange(3.0), np.ones(3, np.float32), np.array([0, 1, 2], np.uint8))
    assert packed(cells)[-3:] == bytes([0, 1, 2])
    assert packed(cells, np.array([True, False, True]))[-3:] == bytes([0, 4, 2])


def test_the_density_has_its_place_and_scale(client: Client) -> None:
    fields = client.ask("slide/0/heat.json").json
    view, density = fields["view"], fields["density"]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(density["png"]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    height, width, channels = picture.shape
    assert channels == 4 and width / height == pytest.approx(view["width"] / view["height"], rel=0.02)
    assert density["upper"] > 0 and len(density["colours"]) == 20
    shown = picture[picture[..., 3] > 0][:, :3]
    known = {tuple(int(code[k : k + 2], 16) for k in (5, 3, 1)) for code in density["colours"]}
    assert len(shown) and {tuple(pixel) for pixel in np.unique(shown, axis=0).tolist()} <= known


@in_browser
def test_the_line_counts_as_the_table_where_an_area_is_excluded(browser: Any, own_results: Path) -> None:
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        before = client.ask("slide/0/score.json").json["after"][0]["total"]
        half = "window.wsiEdt.correcting.outline('exclude', [[0, 0], [200, 0], [200, 300], [0, 300]])"
        window.page.evaluate(f"() => {{ {half}; }}")
        window.stored(1)
        after = client.ask("slide/0/score.json").json["after"][0]["total"]
        found = re.search(r"of ([\d,]+) shown", window.page.inner_text("#shown"))
        assert found and int(found[1].replace(",", "")) == after < before
        window.page.select_option("#heat", "density")
        window.until("document.querySelector('#scale .bar') !== null")
        left = client.ask("slide/0/heat.json").json["view"]  # of what still counts
        window.until(f"window.wsiEdt.heat.view.x === {left['x']}")
        window.page.evaluate("() => { window.wsiEdt.correcting.undo(); }")
        window.stored(2)
        whole = client.ask("slide/0/heat.json").json["view"]
        assert left["x"] - whole["x"] > 150
        window.until(f"window.wsiEdt.heat.view.x === {whole['x']}")
        assert window.faults == window.outside == []
        window.page.close()


@in_browser
def test_a_card_draws_the_cells_that_the_processor_draws(browser: Any, own_results: Path) -> None:
    """In the colour of the class at its place, by WebGL as by stamps."""
    with viewing(own_results) as client:
        for opener, painter in ((browser, "RasterPainter"), (WithCard(browser), "GlPainter")):
            window = Window(opener, client.address)
            page = window.page
            assert page.evaluate("window.wsiEdt.layer.painter.constructor.name") == painter
            x, y, kind = page.evaluate("(({x, y, kind}) => [x[40], y[40], kind[40]])(window.wsiEdt.cells)")
            px, py = window.go(x, y)
            shot = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
            assert shot is not None
            expected = {0: (16, 56, 120), 1: (255, 176, 0)}[kind]
            around = shot[int(py) - 3 : int(py) + 4, int(px) - 3 : int(px) + 4, ::-1].astype(int)
            assert np.abs(around - expected).max(axis=2).min() < 12, (painter, around)
            assert window.faults == []
            page.close()
