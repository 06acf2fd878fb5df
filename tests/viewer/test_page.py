"""The page in a real browser: Debian's Chromium, drawn by software."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.viewer.serving import viewing
from wsi_edt.results import names
from wsi_edt.viewer.export import ExportOptions, export

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

_FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
_PATIENCE_S = 60


class Window:
    """One window of the page, and what went wrong in it."""

    def __init__(self, browser: Any, address: str) -> None:
        self.faults: list[str] = []
        self.outside: list[str] = []
        self.page = browser.new_page(viewport={"width": 1280, "height": 800})
        self.page.on(
            "console",
            lambda line: self.faults.append(line.text) if line.type in ("error", "warning") else None,
        )
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        own = (address.removesuffix("index.html"), "blob:", "data:")
        self.page.on(
            "request", lambda asked: None if asked.url.startswith(own) else self.outside.append(asked.url)
        )
        self.page.goto(address)
        self.until("!!window.wsiEdt && window.wsiEdt.ready && window.wsiEdt.scored !== null")

    def until(self, condition: str) -> None:
        """Wait; not by playwright's own `wait_for_function`, which the page's policy forbids."""
        end = time.monotonic() + _PATIENCE_S
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, (condition, self.message, self.faults)
            self.page.wait_for_timeout(50)

    def stored(self, revision: int) -> None:
        """Wait until the page has that revision and its numbers."""
        self.until(f"window.wsiEdt.scored === {revision}")

    @property
    def message(self) -> str:
        return str(self.page.inner_text("#message"))

    def go(self, x: float, y: float) -> tuple[float, float]:
        """Bring a place of the slide (level-0 px) to the middle, at full size; where it is in the window."""
        self.page.evaluate(
            """([x, y]) => { const {viewer} = window.wsiEdt.view, port = viewer.viewport;
            port.zoomTo(port.imageToViewportZoom(1), null, true);
            port.panTo(port.imageToViewportCoordinates(x, y), true); }""",
            [x, y],
        )
        self.page.wait_for_timeout(400)  # also: the next click is no second one
        view = self.page.evaluate("window.wsiEdt.view.view")
        return (x - view["left"]) * view["zoom"], (y - view["top"]) * view["zoom"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS), timeout=120_000)
        yield browser
        browser.close()


def lone_positive(results: Path) -> tuple[float, float]:
    """A positive cell with no other within 20 px, of cells.geojson."""
    features = json.loads((results / "a.png" / names.CELLS).read_text())["features"]
    points = [one["geometry"]["coordinates"] for one in features]
    for one, (x, y) in zip(features, points, strict=True):
        near = sum((x - a) ** 2 + (y - b) ** 2 < 400 for a, b in points)
        if one["properties"]["classification"]["name"] == "Positive" and near == 1:
            return x, y
    raise AssertionError("no positive cell lies alone")


def kinds(results: Path) -> list[str]:
    """What was corrected, as the disk has it."""
    entries = json.loads((results / "a.png/corrections.json").read_text())["entries"]
    return [entry["what"] for entry in entries]


def test_a_flip_is_kept_and_another_window_sees_it(browser: Any, own_results: Path) -> None:
    x, y = lone_positive(own_results)
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        late = Window(browser, client.address)
        px, py = window.go(x, y)
        window.page.mouse.move(px, py)
        assert window.page.inner_text("#under-pointer").startswith("Positive")
        under = window.page.evaluate("window.wsiEdt.under")
        assert (under["x"], under["y"]) == pytest.approx((x, y), abs=0.006)
        window.page.mouse.click(px, py)
        window.stored(1)
        assert kinds(own_results) == ["flip"]

        late.page.mouse.click(*late.go(x, y))
        late.until("window.wsiEdt.correcting.record.revision === 1")
        late.until("document.getElementById('message').textContent.includes('elsewhere')")
        assert kinds(own_results) == ["flip"]
        late.page.close()
        assert (window.faults, window.outside, late.outside) == ([], [], [])
        window.page.close()
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        window.page.mouse.move(*window.go(x, y))
        assert window.page.inner_text("#under-pointer").startswith("Negative")
        window.page.close()


def test_each_correction_by_pointer_or_key_is_stored(browser: Any, own_results: Path) -> None:
    x, y = lone_positive(own_results)
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        page = window.page
        px, py = window.go(x, y)
        page.keyboard.press("d")
        page.mouse.click(px, py)
        window.stored(1)
        page.keyboard.press("u")
        window.stored(2)
        page.keyboard.press("Shift+U")
        window.stored(3)
        page.keyboard.press("n")
        page.wait_for_timeout(400)
        page.mouse.dblclick(px, py)  # the cell is gone there
        window.stored(4)
        page.keyboard.press("a")  # there is a cell now
        window.until("document.getElementById('message').textContent.includes('a cell already')")
        window.go(x, y + 9)
        page.keyboard.press("a")
        window.stored(5)
        px, py = window.go(x, y)
        for number, key in zip([6, 8, 10, 12], ["Shift+F", "Shift+D", "e", "r"], strict=True):
            page.keyboard.press(key)
            page.mouse.move(px - 90, py - 60)
            page.mouse.down()
            for dx, dy in [(90, -60), (90, 60), (-90, 60)]:
                page.mouse.move(px + dx, py + dy, steps=3)
            page.mouse.up()
            window.stored(number)
            page.keyboard.press("Control+z")
            window.stored(number + 1)
        assert window.faults == window.outside == []
        page.close()
    outlined = ["flip", "undo", "delete", "undo", "exclude", "undo", "region", "undo"]
    assert kinds(own_results) == ["delete", "undo", "redo", "add", "add", *outlined]


def test_the_slider_hides_cells(browser: Any, own_results: Path) -> None:
    features = json.loads((own_results / "a.png" / names.CELLS).read_text())["features"]
    scores = sorted(one["properties"]["measurements"]["Score"] for one in features)
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        slider = window.page.locator("#threshold")
        slider.fill(str(round(scores[len(scores) // 2] / 0.005) * 0.005))
        least = float(slider.input_value())
        shown = window.page.inner_text("#shown")
        assert f" {sum(score > least for score in scores)} shown" in shown
        assert window.faults == window.outside == []
        window.page.close()


def test_an_export_opens_from_a_disk_and_corrects_nothing(
    browser: Any, own_results: Path, tmp_path: Path
) -> None:
    x, y = lone_positive(own_results)
    with viewing(own_results) as client:
        entry = {
            "what": "exclude",
            "polygon": {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]},
        }
        assert client.post("slide/0/corrections", {"revision": 0, "entry": entry}).status == 200
    export(own_results, tmp_path / "new", ExportOptions(mpp=1.0))  # half the slide's own resolution
    window = Window(browser, f"{(tmp_path / 'new').as_uri()}/index.html")
    page = window.page
    assert page.locator("#areas thead").inner_text().split() == ["Area", "before", "now", "cells"]
    assert page.locator("#history li").count() == 1
    assert not page.locator("#undo").is_visible()
    px, py = window.go(x, y)
    page.mouse.move(px, py)
    under = page.evaluate("window.wsiEdt.under")
    assert (under["x"], under["y"]) == pytest.approx((x, y), abs=0.006)
    page.mouse.click(px, py)
    page.keyboard.press("d")
    page.wait_for_timeout(200)
    assert page.evaluate("window.wsiEdt.correcting.record.revision") == 1
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.select_option("#slides", "1")
    window.until("window.wsiEdt.ready && window.wsiEdt.info.name.startsWith('deep/')")
    assert asked
    assert all(url.startswith((tmp_path / "new").as_uri()) for url in asked)
    assert (window.faults, window.message) == ([], "")
    page.close()
