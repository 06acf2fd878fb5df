"""Sorting and filtering of the batch's page in a browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.ki67.made import BLURRED, result
from tests.report.browser import needs_browser, told_by_browser
from tests.report.test_batch import HOSTILE, NET, full_row, page_of_batch
from wsi_edt.report.rows import SummaryRow

pytestmark = needs_browser

HELPERS = """
const slides = () => [...document.querySelectorAll("tbody tr")].filter((row) => !row.hidden)
  .map((row) => row.cells[0].textContent);
const head = (words) => [...document.querySelectorAll("th")].find((one) => one.textContent.startsWith(words));
const click = (words) => head(words).querySelector("[role=button]").click();
const form = document.querySelector("form");
const set = (name, value) => {
  const field = form.elements[name];
  if (field.type === "checkbox") field.checked = value; else field.value = value;
  field.dispatchEvent(new Event("input", {bubbles: true}));
};
const points = () => [...document.querySelectorAll(".plot a")].filter((one) => one.style.display !== "none").length;
const told = {};
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a browser shows after each of some clicks; it is started once, as that takes seconds."""
    rows = [
        full_row("b10.svs", positive=123, negative=877, probability=0.001),
        replace(full_row("b9.svs", positive=30, negative=70, probability=0.3), case="K 7"),
        SummaryRow.from_result(result(9, 991, slide=HOSTILE, quality=BLURRED), seconds=1.0),
        SummaryRow.from_result(result(mm2=0.0, slide="empty.svs"), seconds=1.0),
        replace(SummaryRow.failed("broken.svs", "it is truncated", model="m"), case="A 1"),
    ]
    page = page_of_batch(rows, slides=5, conventions=NET).source
    steps = """
    told.first = slides(); told.offered = !form.hidden;
    told.named = [...form.elements.status.options].map((one) => one.value);
    click("Ki-67 index"); told.index = slides(); told.sorted = head("Ki-67 index").getAttribute("aria-sort");
    click("Ki-67 index"); told.index_again = slides();
    click("Cells in all"); told.cells = slides(); told.unsorted = head("Ki-67 index").getAttribute("aria-sort");
    click("Slide"); told.names = slides();
    head("Case").querySelector("[role=button]").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
    told.cases = slides();
    click("Flags"); told.flags = slides();
    click("Between"); told.places = slides(); click("Between"); told.places_again = slides();
    const again = form.querySelector(".again"); told.way_back = !again.hidden;
    again.click(); told.back = slides(); told.way_back_left = !again.hidden;
    told.still_sorted = document.querySelectorAll("[aria-sort]").length;
    click("Flags");
    set("words", "b9 k"); told.words = slides(); told.points = points();
    told.count = form.querySelector("output").textContent;
    set("words", "TRUNCATED"); told.message = slides();
    set("words", ""); told.none = form.querySelector("output").textContent; told.all_points = points();
    set("status", "not assessable"); told.status = slides();
    set("status", ""); set("look", true); told.look = slides(); told.look_points = points();
    return told;
    """
    answer: dict[str, Any] = told_by_browser(page, HELPERS + steps, tmp_path_factory.mktemp("page"))
    return answer


def test_failed_slides_come_first_until_somebody_sorts(told: dict[str, Any]) -> None:
    assert told["first"] == ["broken.svs", "empty.svs", "b10.svs", "b9.svs", HOSTILE]


def test_a_column_of_numbers_starts_with_the_highest(told: dict[str, Any]) -> None:
    """What has no value comes last either way, in the order that it had."""
    assert told["index"] == ["b9.svs", "b10.svs", HOSTILE, "broken.svs", "empty.svs"]
    assert told["sorted"] == "descending"
    assert told["index_again"] == [HOSTILE, "b10.svs", "b9.svs", "broken.svs", "empty.svs"]


def test_another_column_takes_over_and_equals_keep_their_order(told: dict[str, Any]) -> None:
    assert told["cells"] == [HOSTILE, "b10.svs", "b9.svs", "empty.svs", "broken.svs"]
    assert told["unsorted"] is None


def test_words_are_sorted_as_people_do(told: dict[str, Any]) -> None:
    assert told["names"] == [HOSTILE, "b9.svs", "b10.svs", "broken.svs", "empty.svs"]


def test_a_key_sorts_too(told: dict[str, Any]) -> None:
    assert told["cases"][:2] == ["broken.svs", "b9.svs"]
    assert told["flags"] == ["b9.svs", "b10.svs", HOSTILE, "broken.svs", "empty.svs"]


def test_verdicts_are_sorted_by_the_index_and_not_by_their_words(told: dict[str, Any]) -> None:
    """ "above 20 %" comes before "above 3 up to 20 %" in the alphabet, of 30 and 12.3 %."""
    assert told["places"][:3] == [HOSTILE, "b10.svs", "b9.svs"]
    assert told["places_again"][:3] == ["b9.svs", "b10.svs", HOSTILE]


def test_there_is_a_way_back_to_the_first_order(told: dict[str, Any]) -> None:
    assert told["back"] == told["first"]
    assert (told["way_back"], told["way_back_left"], told["still_sorted"]) == (True, False, 0)


def test_all_words_must_be_found_wherever_they_stand(told: dict[str, Any]) -> None:
    assert told["words"] == ["b9.svs"]
    assert told["count"] == "1 of 5 shown"
    assert told["message"] == ["broken.svs"]
    assert told["none"] == ""


def test_the_plot_shows_what_the_table_shows(told: dict[str, Any]) -> None:
    assert (told["points"], told["all_points"], told["look_points"]) == (1, 3, 2)


def test_a_status_and_what_needs_a_look_are_filters(told: dict[str, Any]) -> None:
    assert told["offered"] is True
    assert told["named"] == ["", "done", "not assessable", "failed"]
    assert told["status"] == ["empty.svs"]
    assert sorted(told["look"]) == sorted(["broken.svs", "empty.svs", "b9.svs", HOSTILE])
