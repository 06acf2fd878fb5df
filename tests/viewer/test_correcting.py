"""What the page says and does where a correction can't simply be stored."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.run import test_regions, test_roi
from tests.viewer.serving import Client, viewing
from wsi_edt.results import names

pytest.importorskip("playwright.sync_api", reason="needs playwright")
from tests.viewer.test_page import CHROMIUM, Window, kinds, lone_positive
from tests.viewer.test_page import browser as browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


def says(window: Window, words: str) -> None:
    window.until(f"document.getElementById('message').textContent.includes('{words}')")


def later(seconds: float) -> Callable[[Any], None]:
    """Lets a request go on, but not at once."""

    def go_on(route: Any) -> None:
        time.sleep(seconds)
        route.continue_()

    return go_on


def total(client: Client) -> int:
    """How many cells the table counts on the first slide."""
    return int(client.ask("slide/0/score.json").json["after"][0]["total"])


def shown(window: Window) -> int:
    """How many cells the line below the slider counts."""
    found = re.search(r"of ([\d,]+) shown", window.page.inner_text("#shown"))
    assert found
    return int(found[1].replace(",", ""))


def empty_place(results: Path) -> tuple[float, float]:
    """A place 30 px and more from all cells, well within the slide."""
    features = json.loads((results / "a.png" / names.CELLS).read_text())["features"]
    points = [one["geometry"]["coordinates"] for one in features]
    for x in range(150, 600, 7):
        for y in range(60, 240, 7):
            if all((x - a) ** 2 + (y - b) ** 2 > 900 for a, b in points):
                return float(x), float(y)
    raise AssertionError("there is no empty place")


def test_what_a_late_window_does_is_stored_where_it_still_holds(browser: Any, own_results: Path) -> None:
    x, y = lone_positive(own_results)
    gap = empty_place(own_results)
    with viewing(own_results) as client:
        first, late, latest = (Window(browser, client.address) for _ in range(3))
        first.page.mouse.click(*first.go(x, y))
        first.stored(1)
        late.page.mouse.dblclick(*late.go(*gap))
        says(late, "what you just did, too")
        late.stored(2)
        latest.page.mouse.dblclick(*latest.go(*gap))  # the same nucleus once more
        says(latest, "stored")
        latest.until("window.wsiEdt.correcting.record.revision === 2")
        assert kinds(own_results) == ["flip", "add"]
        assert first.faults == []
        for window in (first, late, latest):
            window.page.close()


def test_two_clicks_on_two_cells_are_two_however_fast(browser: Any, own_results: Path) -> None:
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        x, y = lone_positive(own_results)
        px, py = window.go(x, y)
        features = json.loads((own_results / "a.png" / names.CELLS).read_text())["features"]
        places = [(px + a - x, py + b - y) for a, b in (one["geometry"]["coordinates"] for one in features)]
        far = [
            place for place in places if 0 < place[0] < 950 and 0 < place[1] < 800 and abs(place[0] - px) > 40
        ]
        for place in ((px, py), far[0], far[-1]):
            window.page.mouse.click(*place)
        window.stored(3)
        assert kinds(own_results) == ["flip", "flip", "flip"]
        window.page.close()


def test_of_slides_that_are_chosen_quickly_the_last_is_shown_alone(browser: Any, own_results: Path) -> None:
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        window.page.route("**/slide/0/cells.bin", later(0.6))
        choose = """number => { const list = document.getElementById("slides");
            list.value = number; list.dispatchEvent(new Event("change")); }"""
        for number in "10101":
            window.page.evaluate(choose, number)
        window.until("window.wsiEdt.ready && window.wsiEdt.chosen === null")
        assert window.page.title().startswith("deep/b")
        assert window.page.evaluate("window.wsiEdt.view.layers.length") == 3  # the map, outlines and cells
        assert window.page.evaluate("window.wsiEdt.correcting.base") == "slide/1/"
        assert window.page.locator("canvas.cells").count() == 3
        window.page.close()


def test_a_correction_that_is_stored_late_stays_with_its_slide(browser: Any, own_results: Path) -> None:
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        x, y = lone_positive(own_results)
        place = window.go(x, y)
        window.page.route("**/corrections", later(1.0))
        window.page.mouse.click(*place)
        window.page.select_option("#slides", "1")
        window.until("window.wsiEdt.ready && window.wsiEdt.info.name.startsWith('deep/')")
        window.page.wait_for_timeout(1500)
        assert kinds(own_results) == ["flip"]
        assert window.page.locator("#history li").count() == 0
        assert window.page.locator("#undo").is_disabled()
        assert window.page.evaluate("window.wsiEdt.cells.count") == window.page.evaluate(
            "window.wsiEdt.correcting.cells.count"
        )
        window.page.close()


def test_what_is_asked_for_twice_before_it_is_stored_is_stored_once(browser: Any, own_results: Path) -> None:
    x, y = empty_place(own_results)
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        window.page.route("**/corrections", later(0.4))
        window.page.evaluate(
            f"() => {{ for (let k = 0; k < 3; k++) window.wsiEdt.correcting.add({x}, {y}); }}"
        )
        window.stored(1)
        window.page.wait_for_timeout(1500)
        assert kinds(own_results) == ["add"]
        window.page.evaluate(
            f"() => {{ for (let k = 0; k < 2; k++) window.wsiEdt.correcting.cell('delete', {x}, {y}); }}"
        )
        window.stored(2)
        window.page.wait_for_timeout(1200)
        assert kinds(own_results) == ["add", "delete"]
        window.page.evaluate(f"() => {{ window.wsiEdt.correcting.add({x}, {y}); }}")
        window.stored(3)
        assert window.faults == []
        window.page.close()


def test_a_reload_shows_the_same_slide(browser: Any, seen_results: Path) -> None:
    with viewing(seen_results) as client:
        window = Window(browser, client.address)
        window.page.select_option("#slides", "1")
        window.until("window.wsiEdt.ready && window.wsiEdt.info.name.startsWith('deep/')")
        window.page.reload()
        window.until("window.wsiEdt?.ready && window.wsiEdt.info.name.startsWith('deep/')")
        assert window.page.locator("#slides").input_value() == "1"
        window.page.keyboard.press("d")  # the list doesn't keep the keys
        assert window.page.locator("input[name=tool]:checked").input_value() == "delete"
        window.page.close()


def test_undoing_a_threshold_moves_the_slider_back(browser: Any, own_results: Path) -> None:
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        assert shown(window) == total(client)
        slider = window.page.locator("#threshold")
        reported = slider.input_value()
        slider.fill("0.6")
        window.page.keyboard.press("t")
        window.stored(1)
        assert shown(window) == total(client)
        window.page.keyboard.press("u")
        window.stored(2)
        assert slider.input_value() == reported
        assert shown(window) == total(client)
        window.page.close()


def test_cells_where_nothing_counts_say_so(browser: Any, own_results: Path) -> None:
    x, y = lone_positive(own_results)
    gap = empty_place(own_results)
    with viewing(own_results) as client:
        window = Window(browser, client.address)
        everywhere = "window.wsiEdt.correcting.outline('exclude', [[0, 0], [690, 0], [690, 290], [0, 290]])"
        window.page.evaluate(f"() => {{ {everywhere}; }}")
        window.stored(1)
        window.page.mouse.click(*window.go(x, y))
        says(window, "undo the excluded area")
        window.page.mouse.dblclick(*window.go(*gap))
        says(window, "stored, in grey")
        window.stored(2)
        assert kinds(own_results) == ["exclude", "add"]
        assert shown(window) == total(client)
        assert window.faults == []
        window.page.close()


def ignoring(folder: Path) -> Path:
    """Results of a slide whose left part is ignored."""
    lab = test_regions.Lab(folder)
    lab.draw(("Ignore*", (0, 0, 200, 300)))
    lab.run()
    return lab.out


def only_a_region(folder: Path) -> Path:
    """Results of a slide of which nothing but its right part was looked at."""
    lab = test_roi.Lab(folder)
    region = test_roi.feature("right", test_roi.ring(200, 0, 440, 300))
    lab.run(test_roi.geojson(folder / "roi.geojson", region))
    return lab.out


@pytest.mark.parametrize("run", [ignoring, only_a_region])
def test_an_added_cell_counts_by_what_was_drawn_for_the_run(
    browser: Any, tmp_path: Path, run: Callable[[Path], Path]
) -> None:
    with viewing(run(tmp_path)) as client:
        window = Window(browser, client.address)
        before = total(client)
        assert shown(window) == before
        for revision, (x, y, counted) in enumerate([(100, 150, 0), (300, 150, 1)], start=1):
            window.page.evaluate(f"() => {{ window.wsiEdt.correcting.add({x}, {y}); }}")
            window.stored(revision)
            assert shown(window) == total(client) == before + counted
        window.page.close()
