"""On which side of a cut-off an index lies, and what is doubtful about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from tests.ki67.made import BLURRED, QUALITY, cells, findings
from tests.ki67.made_slides import FloatArray, poisson_slide
from wsi_edt.errors import UsageError
from wsi_edt.ki67 import Conventions, Ki67Result, assess
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.counts import Counts
from wsi_edt.ki67.decision import Verdict, verdicts
from wsi_edt.ki67.doubts import doubts_about
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.findings import with_regions
from wsi_edt.ki67.hotspot_decision import with_hotspot
from wsi_edt.ki67.hotspots import Hotspot, Hotspots, Order
from wsi_edt.ki67.interval import Interval, NoInterval, Without
from wsi_edt.ki67.number import AreaFacts
from wsi_edt.ki67.profiles import PROFILES
from wsi_edt.ki67.reasons import Reason
from wsi_edt.qupath.regions import Region
from wsi_edt.slides import Staining

DRAWN = np.linspace(10, 30, 2000)  # of these a twentieth lies above 29 %, half above 20 %
NET = Conventions(profile=PROFILES["net"])


def facts(
    interval: Interval | Without | None = None,
    *,
    kind: AreaKind = AreaKind.TISSUE,
    counts: tuple[int, int] = (200, 800),
    mm2: float = 10.0,
    reason: Reason | None = None,
    conventions: Conventions = NET,
    ignored_mm2: float = 0.0,
) -> AreaFacts:
    if interval is None:
        interval = Interval(10.5, 29.5, 40, 0.5, DRAWN)
    area = Area(kind, kind, cells(*counts), mm2, ignored_mm2=ignored_mm2)
    return AreaFacts(area, Counts(*counts, 0), reason, conventions, interval)


def test_how_likely_the_index_lies_above_each_cutoff() -> None:
    low, high = verdicts(facts(), ())
    assert (low.cutoff_percent, low.probability_above, low.certain) == (3.0, 0.9998, True)
    assert (high.cutoff_percent, high.probability_above, high.certain) == (20.0, 0.5, False)
    assert low.sentence == "Certain: above 3 % (probability > 99.9 %)"
    assert high.sentence == "Second reader advised: 50 % likely to lie above 20 %"


@pytest.mark.parametrize(
    ("certainty", "sentence"),
    [
        (0.9, "Certain: below 29 % (probability 95 %)"),
        (0.96, "Second reader advised: 5 % likely to lie above 29 %"),
    ],
)
def test_the_convention_says_what_is_certain(certainty: float, sentence: str) -> None:
    """Of the draws from 10 to 30 % a twentieth lies above 29 %."""
    rules = replace(NET, profile=replace(NET.profile, cutoffs_percent=(29.0,)), certainty=certainty)
    (verdict,) = verdicts(facts(conventions=rules), ())
    assert verdict.sentence == sentence
    assert verdict.certain is sentence.startswith("Certain")


@pytest.mark.parametrize(
    ("probability", "certain", "sentence"),
    [
        (0.9973, True, "Certain: above 20 % (probability 99.7 %)"),
        (0.0027, True, "Certain: below 20 % (probability 99.7 %)"),
        (0.0002, True, "Certain: below 20 % (probability > 99.9 %)"),
        (0.337, False, "Second reader advised: 34 % likely to lie above 20 %"),
        (0.006, False, "Second reader advised: 0.6 % likely to lie above 20 %"),
    ],
)
def test_sentences(probability: float, certain: bool, sentence: str) -> None:
    assert Verdict(20.0, probability, certain).sentence == sentence


def hottest(value: float, low: float | None, high: float | None, *, order: Order = Order.INDEX) -> Hotspots:
    spot = Hotspot("spot", order, 1, 40.0, Estimate(value, low, high))
    return Hotspots(NET.hotspots, (spot,))


# Index 25 % of 22 to 28 %: certain at 3 and at 20 % by itself.
SURE = verdicts(facts(Interval(22, 28, 40, 0.5, np.linspace(22, 28, 2000))), ())


@pytest.mark.parametrize(
    ("hotspots", "sentence"),
    [
        (hottest(30, 26, 34), "Certain: above 20 % (probability > 99.9 %)"),
        (
            hottest(21.4, 17.6, 25.7),
            "Second reader advised: hotspot 1 has 21.4 % (17.6–25.7); > 99.9 % likely to lie above 20 %",
        ),
        (
            hottest(12, 9, 15),
            "Second reader advised: hotspot 1 has 12.0 % (9.0–15.0); > 99.9 % likely to lie above 20 %",
        ),
        (
            hottest(30, None, None),
            "Second reader advised: what remains of hotspot 1 can't be told; > 99.9 % likely to lie above 20 %",
        ),
        (
            Hotspots(NET.hotspots, (), "no hotspot: no cell is positive"),
            "Second reader advised: no hotspot: no cell is positive; > 99.9 % likely to lie above 20 %",
        ),
        (None, "Second reader advised: no hotspot was looked for; > 99.9 % likely to lie above 20 %"),
    ],
)
def test_where_the_hottest_hotspot_decides_it_has_to_lie_on_the_same_side(
    hotspots: Hotspots | None, sentence: str
) -> None:
    _, high = with_hotspot(SURE, 25.0, hotspots, NET, cells=600)
    assert high.sentence == sentence
    assert high.certain is sentence.startswith("Certain")


def test_below_a_cutoff_the_hotspot_lies_below_it_too() -> None:
    """WHO grades by the hotspot: an index of 2 % isn't G1 where the hottest 500 cells have 4 %."""
    low = verdicts(facts(Interval(1.5, 2.5, 40, 0.5, np.linspace(1.5, 2.5, 2000))), ())
    assert [one.certain for one in low] == [True, True]
    decided = with_hotspot(low, 2.0, hottest(4, 2.7, 6), NET, cells=600)
    assert [one.certain for one in decided] == [False, True]
    decided = with_hotspot(low, 2.0, hottest(2.4, 2, 2.9), NET, cells=600)
    assert [one.certain for one in decided] == [True, True]


def test_a_hotspot_of_few_cells_decides_nothing() -> None:
    _, high = with_hotspot(SURE, 25.0, hottest(30, 26, 34), NET, cells=499)
    assert high.why == "hotspot 1 has fewer than 500 cells" and not high.certain


def test_other_profiles_are_decided_by_the_index_alone() -> None:
    breast = Conventions(profile=PROFILES["breast"])
    assert with_hotspot(SURE, 25.0, hottest(12, 9, 15), breast) == SURE
    assert [name for name, profile in PROFILES.items() if profile.by_hotspot] == ["net"]


def test_a_slide_with_a_hotspot_beyond_a_cutoff_is_for_a_second_reader() -> None:
    """25 mm² with 2 % positive cells, 0.4 mm² of them with 8 %: G1 by the whole, and G2 by its hotspot."""

    def chance(x: FloatArray, y: FloatArray) -> FloatArray:
        return np.where(np.hypot(x - 1500, y - 1500) < 350, 0.08, 0.02)

    _, found = poisson_slide(500, 500, per_mm2=2500, chance=chance, seed=1)
    result = assess(found, NET)
    assert result.whole.index_percent is not None and result.whole.index_percent < 3
    low = result.whole.verdicts[0]
    assert not low.certain and low.why.startswith("hotspot 1 has ")
    whole = Region("all", shapely.box(0, 0, 20000, 20000), None)
    part = Region("part", shapely.box(0, 0, 19000, 20000), None)
    drawn = assess(with_regions(found, (whole, part), restrict=True), NET)
    for area, words in zip(
        drawn.areas[:3], ("hotspot 1 has", "hotspot 1 has", "no hotspot was"), strict=True
    ):
        assert area.verdicts[0].probability_above is not None and words in area.verdicts[0].why


def test_without_an_interval_a_second_reader_is_advised() -> None:
    for verdict in verdicts(facts(Without(NoInterval.FEW_BLOCKS)), ()):
        assert verdict.probability_above is None
        assert not verdict.certain
    assert verdict.sentence == (
        "Second reader advised at 20 %: no probability (fewer than 20 blocks of tissue)"
    )


def test_a_doubt_takes_certainty_away_and_is_named() -> None:
    made = facts(counts=(99, 400))
    doubts = doubts_about(made, BLURRED)
    assert [doubt.name for doubt in doubts] == ["fewer than 500 cells", "out of focus"]
    low, _ = verdicts(made, doubts)
    assert not low.certain
    assert low.sentence == (
        "Second reader advised: fewer than 500 cells, out of focus; > 99.9 % likely to lie above 3 %"
    )


def test_nothing_is_decided_without_cutoffs_or_an_index_nor_by_hotspots_and_fields() -> None:
    assert verdicts(facts(conventions=Conventions()), ()) == ()
    assert verdicts(facts(Without(NoInterval.NO_INDEX), reason=Reason.NO_DAB), ()) == ()
    for kind in (AreaKind.HOTSPOT, AreaKind.FIELD):
        assert verdicts(facts(kind=kind), ()) == ()
        assert doubts_about(facts(kind=kind, counts=(1, 1)), BLURRED) == ()
    for kind in (AreaKind.TISSUE, AreaKind.REGIONS, AreaKind.CLASS, AreaKind.REGION):
        assert len(verdicts(facts(kind=kind), ())) == 2


@pytest.mark.parametrize(
    ("mm2", "kind", "words"),
    [
        (4.9, AreaKind.TISSUE, "51 % of the slide's tissue was excluded"),
        (5.1, AreaKind.TISSUE, None),
        (3.7, AreaKind.REGIONS, "63 % of the regions' tissue was excluded"),
        (3.7, AreaKind.CLASS, "63 % of the regions' tissue was excluded"),
        (3.7, AreaKind.REGION, "63 % of the region's tissue was excluded"),
        (10.0, AreaKind.REGIONS, None),
    ],
)
def test_most_of_the_tissue_left_out_is_a_doubt(mm2: float, kind: AreaKind, words: str | None) -> None:
    doubts = doubts_about(facts(mm2=mm2, kind=kind, ignored_mm2=10.0 - mm2), QUALITY)
    assert len(doubts) == (words is not None)
    assert words is None or doubts[0].sentence.startswith(words)


def test_what_is_drawn_as_ignored_reaches_the_result() -> None:
    """Of a slide of 40 px, all tissue, 30 are ignored."""
    ignored = Region("fold", shapely.box(0, 0, 30, 40), "Ignore*")
    found = with_regions(findings(200, 800, mm2=1.0), (ignored,), restrict=False)
    whole = assess(found, NET).whole
    assert "most of the tissue left out" in [doubt.name for doubt in whole.doubts]
    assert not any(verdict.certain for verdict in whole.verdicts)


def test_a_slide_without_an_index_has_neither() -> None:
    result = assess(findings(3, 5, staining=Staining.HE, quality=BLURRED), NET)
    assert result.whole.verdicts == ()
    assert result.whole.doubts == ()


def test_sentences_stand_in_the_file_and_are_read_back() -> None:
    result = assess(findings(3, 5), NET)
    fields = result.to_json()
    assert fields["verdicts"][0]["sentence"] == (
        "Second reader advised at 3 %: no probability (fewer than 20 blocks of tissue, fewer than 500 cells)"
    )
    assert Ki67Result.from_json(fields) == result


@pytest.mark.parametrize("certainty", [0.5, 1.0, 95.0])
def test_what_is_no_certainty_is_refused(certainty: float) -> None:
    with pytest.raises(UsageError, match=r"--certainty .* more than 0\.5"):
        Conventions(certainty=certainty)
