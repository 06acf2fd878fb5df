"""On which side of a cut-off an index lies, and what is doubtful about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from tests.ki67.made import BLURRED, QUALITY, cells, findings
from wsi_edt.errors import UsageError
from wsi_edt.ki67 import Conventions, Ki67Result, assess
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.counts import Counts
from wsi_edt.ki67.decision import Verdict, verdicts
from wsi_edt.ki67.doubts import doubts_about
from wsi_edt.ki67.findings import with_regions
from wsi_edt.ki67.interval import Interval, NoInterval
from wsi_edt.ki67.number import AreaFacts
from wsi_edt.ki67.profiles import PROFILES
from wsi_edt.ki67.reasons import Reason
from wsi_edt.qupath.regions import Region
from wsi_edt.slides import Staining

DRAWN = np.linspace(10, 30, 2000)  # of these a twentieth lies above 29 %, half above 20 %
NET = Conventions(profile=PROFILES["net"])


def facts(
    interval: Interval | NoInterval | None = None,
    *,
    kind: AreaKind = AreaKind.TISSUE,
    counts: tuple[int, int] = (200, 800),
    mm2: float = 10.0,
    reason: Reason | None = None,
    conventions: Conventions = NET,
) -> AreaFacts:
    if interval is None:
        interval = Interval(10.5, 29.5, 40, 0.5, DRAWN)
    area = Area(kind, kind, cells(*counts), mm2)
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


def test_without_an_interval_a_second_reader_is_advised() -> None:
    for verdict in verdicts(facts(NoInterval.FEW_BLOCKS), ()):
        assert verdict.probability_above is None
        assert not verdict.certain
    assert verdict.sentence == (
        "Second reader advised at 20 %: no probability (fewer than 20 blocks of tissue)"
    )


def test_a_doubt_takes_certainty_away_and_is_named() -> None:
    made = facts(counts=(99, 400))
    doubts = doubts_about(made, BLURRED, slide_mm2=10.0)
    assert [doubt.name for doubt in doubts] == ["fewer than 500 cells", "out of focus"]
    low, _ = verdicts(made, doubts)
    assert not low.certain
    assert low.sentence == (
        "Second reader advised: fewer than 500 cells, out of focus; > 99.9 % likely to lie above 3 %"
    )


def test_nothing_is_decided_without_cutoffs_or_an_index_nor_by_hotspots_and_fields() -> None:
    assert verdicts(facts(conventions=Conventions()), ()) == ()
    assert verdicts(facts(NoInterval.NO_INDEX, reason=Reason.NO_DAB), ()) == ()
    for kind in (AreaKind.HOTSPOT, AreaKind.FIELD):
        assert verdicts(facts(kind=kind), ()) == ()
        assert doubts_about(facts(kind=kind, counts=(1, 1)), BLURRED, slide_mm2=10.0) == ()
    for kind in (AreaKind.TISSUE, AreaKind.REGIONS, AreaKind.CLASS, AreaKind.REGION):
        assert len(verdicts(facts(kind=kind), ())) == 2


@pytest.mark.parametrize(
    ("mm2", "kind", "words"),
    [
        (4.9, AreaKind.TISSUE, "51 % of the slide's tissue was drawn as ignored"),
        (5.1, AreaKind.TISSUE, None),
        (1.0, AreaKind.REGIONS, None),
    ],
)
def test_most_of_the_tissue_left_out_is_a_doubt(mm2: float, kind: AreaKind, words: str | None) -> None:
    doubts = doubts_about(facts(mm2=mm2, kind=kind), QUALITY, slide_mm2=10.0)
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
