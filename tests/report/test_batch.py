"""The batch's page: what it says, that it opens offline, and that nothing in a name or an error breaks it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tests.ki67.made import BLURRED, COUNTS, result
from tests.report.reading import Page, check_links
from wsi_edt.ki67 import Conventions
from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.decision import Verdict
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.hotspots import Hotspot, Hotspots, Order
from wsi_edt.ki67.profiles import PROFILES
from wsi_edt.ki67.result import RESEARCH_USE
from wsi_edt.report.batch import batch_page
from wsi_edt.report.rows import SummaryRow
from wsi_edt.slides import Staining

COUNTED = result(1250, 3750, mm2=1.5)
HOSTILE = "a <b>\"&' #1 100%.svs"
NET = replace(Conventions(), profile=PROFILES["net"])


def page_of_batch(rows: list[SummaryRow], *, slides: int, conventions: Conventions | None = None) -> Page:
    return Page(
        batch_page(
            rows,
            model="ki67-w18 1.0",
            counts=COUNTS,
            slides=slides,
            conventions=conventions or Conventions(),
            summary="summary.csv",
            report="report.html",
        )
    )


def full_row(slide: str, *, positive: int, negative: int, probability: float) -> SummaryRow:
    """A slide with all that a row can say: an interval, a verdict on 3 and 20 %, a hotspot."""
    found = result(positive, negative, slide=slide)
    index = 100 * positive / (positive + negative)
    values = {**found.whole.values, "index_low_percent": index - 1, "index_high_percent": index + 1.5}
    verdicts = (Verdict(3.0, 1.0, certain=True), Verdict(20.0, probability, certain=probability < 0.05))
    spots = (Hotspot("hotspot 1", Order.INDEX, 1, 41.2, Estimate(36.5, 30.0, 42.0)),)
    whole = replace(found.whole, values=values, verdicts=verdicts)
    return SummaryRow.from_result(
        replace(found, areas=(whole,), hotspots=Hotspots(HotspotRule(), spots)), seconds=1.0
    )


def batch_rows() -> list[SummaryRow]:
    return [
        SummaryRow.from_result(COUNTED, seconds=3.0),
        SummaryRow.from_result(result(1, 3, mm2=0.01, slide=HOSTILE), seconds=3.0),
        SummaryRow.from_result(result(mm2=0.0, slide="c.svs"), seconds=1.0),
        SummaryRow.failed("d.svs", "d.svs has no µm/px; pass --mpp <script>", model="m"),
    ]


def body_rows(page: Page) -> list[str]:
    return re.findall(r"<tr data-.*?</tr>", page.source, re.DOTALL)


def test_the_batch_page_has_a_row_for_each_slide() -> None:
    page = page_of_batch(batch_rows(), slides=4)
    assert page.tags.count("tr") == 1 + 4
    assert "4 slides" in page.text
    assert "1 failed , 1 not assessable, 2 with an index." in page.text
    assert "25.0 %" in page.text
    assert "few cells" in page.text
    assert "not assessable: no tissue; --no-tissue-mask looks everywhere" in page.text
    assert "d.svs has no µm/px; pass --mpp <script>" in page.text
    assert RESEARCH_USE in page.text
    assert COUNTS in page.text


def test_what_failed_comes_first_then_what_has_no_index() -> None:
    page = page_of_batch(batch_rows(), slides=4)
    statuses = re.findall(r'<tr data-status="([^"]+)"', page.source)
    assert statuses == ["failed", "not assessable", "done", "done"]
    slides = [re.search(r"[\w/]+\.svs", row) for row in body_rows(page)[:3]]
    assert [found and found[0] for found in slides] == ["d.svs", "c.svs", "folder/a.svs"]


def test_intervals_verdicts_and_hotspots_are_said() -> None:
    rows = [
        full_row("a.svs", positive=123, negative=877, probability=0.001),
        full_row("b.svs", positive=194, negative=806, probability=0.3),
    ]
    page = page_of_batch(rows, slides=2, conventions=NET)
    assert "12.3 % (11.3–13.8) above 3 up to 20 % certain 41.2 % 36.5 % 1 000" in page.text
    assert "above 3 up to 20 % second reader advised at 20 %" in page.text
    assert NET.profile.source in page.text
    assert "a.svs: 12.3 % (11.3–13.8), 1 000 cells" in page.text, "the point's tooltip"
    assert ["data-look" in row for row in body_rows(page)] == [False, True]


def test_what_no_slide_has_takes_no_column() -> None:
    text = page_of_batch(batch_rows(), slides=4).text
    for head in ("Case", "Between cut-offs", "Hotspot", "interval"):
        assert head not in text, head
    assert "Staining: haematoxylin and DAB." in text
    mixed = [*batch_rows(), SummaryRow.from_result(result(0, 0, 9, staining=Staining.HE), seconds=1.0)]
    text = page_of_batch(mixed, slides=5).text
    assert "Staining:" not in text
    assert "haematoxylin and eosin" in text


def test_each_row_is_as_wide_as_the_head() -> None:
    """Whatever columns there are; the script counts on it."""
    rows = [*batch_rows(), full_row("e.svs", positive=123, negative=877, probability=0.3)]
    rows.append(SummaryRow.from_result(result(0, 0, 9, slide="f.svs", staining=Staining.HE), seconds=1.0))
    for some in (rows[:4], [replace(row, case="K 1") for row in rows], rows):
        page = page_of_batch(some, slides=6, conventions=NET)
        widths = [
            sum(int(span or 1) for span in re.findall(r"<t[dh]\b(?:[^>]*?colspan=\"(\d+)\")?[^>]*>", row))
            for row in re.findall(r"<tr.*?</tr>", page.source, re.DOTALL)
        ]
        assert len(widths) == 1 + len(some)
        assert len(set(widths)) == 1, widths


def test_sorting_goes_by_numbers_and_not_by_their_words() -> None:
    source = page_of_batch(batch_rows(), slides=4).source
    assert '<td class="number" data-v="5000">5\u202f000</td>' in source
    assert '<td class="index" data-v="25.0">' in source


def test_quality_is_said() -> None:
    rows = [
        SummaryRow.from_result(result(300, 700, slide="a.svs", quality=BLURRED), seconds=1.0),
        SummaryRow.from_result(result(300, 700, slide="b.svs"), seconds=1.0),
    ]
    assert rows[0].columns()["quality"] == "out of focus"
    first, second = body_rows(page_of_batch(rows, slides=2))
    assert "out of focus" in first
    assert "none" in second
    assert ("data-look" in first, "data-look" in second) == (True, False)


def test_links_lead_to_files_that_are_there(tmp_path: Path) -> None:
    """Also for names with spaces, quotes, # and %, in table and plot; a failed slide has no page and no link."""
    rows = batch_rows()
    (tmp_path / "summary.csv").touch()
    for row in rows[:3]:
        folder = tmp_path / row.slide
        folder.mkdir(parents=True)
        (folder / "report.html").touch()
    page = page_of_batch(rows, slides=4)
    check_links(page, tmp_path)
    assert len(page.links) == 1 + 3 + 2
    assert not any("d.svs" in link for link in page.links)


def test_names_and_errors_are_text_and_never_markup() -> None:
    """Two scripts would be one too many, and <b> is only of the page's own making."""
    page = page_of_batch(batch_rows(), slides=4)
    assert page.tags.count("script") == 1
    assert page.tags.count("b") == 2 * 2
    assert page.text.count(HOSTILE) == 2


def test_the_page_opens_offline() -> None:
    page = page_of_batch(batch_rows(), slides=4)
    assert not re.search(r"https?:|@import|url\(|src=", page.source)


def test_the_plot_is_told_to_who_cannot_see_it() -> None:
    page = page_of_batch(batch_rows(), slides=4)
    (plot,) = re.findall(r"<svg(?: class=\"many\")? viewBox[^>]*role=\"group\"[^>]*>", page.source)
    assert 'aria-label="The Ki-67 index of each slide' in plot
    assert page.source.count("<svg") == 1 + page.source.count('<svg viewBox="0 0 14 14" aria-hidden="true">')
    assert page.source.count("<title>") == 1 + 2, "the page's own, and one for each point"


def test_a_single_slide_needs_no_plot() -> None:
    rows = [full_row(f"{n}.svs", positive=200, negative=800, probability=0.5) for n in range(2)]
    assert 'class="card plot"' not in page_of_batch(rows[:1], slides=1).source
    assert 'class="card plot"' in page_of_batch(rows, slides=2).source


def test_without_scripts_all_is_shown_and_no_filter_is_offered() -> None:
    page = page_of_batch(batch_rows(), slides=4)
    assert '<form class="filters" hidden>' in page.source
    form = page.source.index('<form class="filters" hidden>')
    hidden = [found.start() for found in re.finditer(r"<[^>]* hidden>", page.source)]
    assert hidden[0] == form
    assert all(place < page.source.index("</form>") for place in hidden), "nothing but filters"


def test_a_thousand_slides_make_a_page_of_a_megabyte() -> None:
    rows = [full_row(f"case {n}/b.svs", positive=n + 1, negative=5000, probability=0.5) for n in range(1000)]
    page = page_of_batch(rows, slides=1000, conventions=NET)
    assert len(body_rows(page)) == 1000
    assert len(page.source.encode()) < 1_200_000
    assert page_of_batch(rows, slides=1000, conventions=NET).source == page.source


def test_a_batch_of_nothing_but_failures_opens() -> None:
    page = page_of_batch(batch_rows()[3:], slides=1)
    assert "1 slide" in page.text
    assert "1 slides" not in page.text
    assert 'class="card plot"' not in page.source


def test_a_batch_that_goes_on_says_so() -> None:
    assert "3 slides, 1 so far" in page_of_batch(batch_rows()[:1], slides=3).text


def test_slides_that_were_reported_by_other_rules_are_told() -> None:
    rows = [SummaryRow.from_result(result(30, 70, slide=f"{name}.svs"), seconds=1.0) for name in "abc"]
    assert "other rules" not in page_of_batch(rows, slides=3).text
    assert rows[1].conventions is not None and rows[2].counted_by is not None
    rows[1] = replace(rows[1], conventions=replace(rows[1].conventions, certainty=0.9))
    rows[2] = replace(rows[2], counted_by=replace(rows[2].counted_by, threshold=0.9))
    assert "2 slides were reported by other rules" in page_of_batch(rows, slides=3).text


def test_a_corrected_slide_shows_what_it_had_before() -> None:
    corrected = replace(SummaryRow.from_result(COUNTED, seconds=3.0), corrections=3, before_percent=24.26)
    other = SummaryRow.from_result(result(1, 3, slide="b.svs"), seconds=3.0)
    text = page_of_batch([corrected, other], slides=2).text
    assert text.count("corrected, 24.3 % before") == 1
    assert text.count("corrected") == 1
