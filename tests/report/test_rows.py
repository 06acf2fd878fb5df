"""A slide's row."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shapely import box

from tests.ki67.made import BLURRED, findings, result
from wsi_edt.ki67 import Conventions, Ki67Result, assess
from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.decision import Verdict
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.findings import with_regions
from wsi_edt.ki67.hotspots import Hotspot, Hotspots, Order
from wsi_edt.qupath.regions import Region
from wsi_edt.report.rows import COLUMNS, Status, SummaryRow, verdict_words
from wsi_edt.slides import Staining

HEADER = (
    "slide,case,status,index_percent,index_low_percent,index_high_percent,blocks,block_mm,positive,negative,unclassified,total,"
    "few_cells,area_mm2,cells_per_mm2,strength_0,strength_1,strength_2,strength_3,h_score,positive_dab_od,"
    "hotspot_percent,hotspot_remaining_percent,verdict,area,profile,staining,quality,mpp,seconds,model,threshold,corrections,index_before_percent,reason,regions,error"
)


def test_the_columns() -> None:
    assert ",".join(COLUMNS) == HEADER


def test_rows_of_every_kind() -> None:
    done = SummaryRow.from_result(result(150, 450, mm2=0.25, slide="a.svs"), seconds=12.34)
    assert done.columns() == {
        "slide": "a.svs",
        "case": "",
        "status": "done",
        "index_percent": "25.00",
        "index_low_percent": "",
        "index_high_percent": "",
        "blocks": "1",
        "block_mm": "0.50",
        "positive": "150",
        "negative": "450",
        "unclassified": "0",
        "total": "600",
        "few_cells": "no",
        "area_mm2": "0.250000",
        "cells_per_mm2": "2400.0",
        "strength_0": "",
        "strength_1": "",
        "strength_2": "",
        "strength_3": "",
        "h_score": "",
        "positive_dab_od": "",
        "hotspot_percent": "",
        "hotspot_remaining_percent": "",
        "verdict": "",
        "area": "whole tissue",
        "profile": "none",
        "staining": "haematoxylin and DAB",
        "quality": "",
        "regions": "",
        "mpp": "0.25000",
        "seconds": "12.3",
        "model": "ki67-w18 1.0",
        "threshold": "",
        "corrections": "",
        "index_before_percent": "",
        "reason": "",
        "error": "",
    }
    empty = SummaryRow.from_result(result(mm2=0.0, slide="b.svs"), seconds=None).columns()
    assert empty["status"] == "not assessable"
    assert empty["index_percent"] == empty["cells_per_mm2"] == empty["seconds"] == ""
    assert (empty["total"], empty["reason"]) == ("0", "no tissue")
    failed = SummaryRow.failed("c.svs", "c.svs has no µm/px", model="m 1")
    assert failed.status is Status.FAILED
    assert (failed.index_percent, failed.total, failed.reason) == (None, None, None)
    assert failed.columns() == {
        **dict.fromkeys(COLUMNS, ""),
        "slide": "c.svs",
        "status": "failed",
        "model": "m 1",
        "error": "c.svs has no µm/px",
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_spreadsheets_execute_nothing(start: str) -> None:
    """A file may be called =cmd|' /c calc'!A1.svs, and its row opens in a spreadsheet."""
    hostile = f"{start}cmd|' /c calc'!A1"
    row = replace(SummaryRow.failed(hostile, f"{hostile} is empty", model="m 1"), case=hostile).columns()
    assert (row["slide"], row["case"], row["error"]) == (
        f"'{hostile}",
        f"'{hostile}",
        f"'{hostile} is empty",
    )
    assert SummaryRow.failed(f"deep/{hostile}", "", model="m").columns()["slide"] == f"deep/{hostile}"


def with_interval(
    found: Ki67Result, *, low: float, high: float, verdicts: tuple[Verdict, ...] = ()
) -> Ki67Result:
    """The result with an interval of its index, and verdicts."""
    values = {**found.whole.values, "index_low_percent": low, "index_high_percent": high}
    return replace(found, areas=(replace(found.whole, values=values, verdicts=verdicts), *found.areas[1:]))


def test_the_interval_is_said_with_the_index() -> None:
    sure = with_interval(result(123, 877), low=10.1, high=14.94)
    assert SummaryRow.from_result(sure, seconds=None).index_words == "12.3 % (10.1–14.9)"
    near_none = with_interval(result(1, 9999), low=0.0, high=0.02)
    assert SummaryRow.from_result(near_none, seconds=None).index_words == "< 0.1 % (0.0–< 0.1)"
    assert SummaryRow.from_result(result(123, 877), seconds=None).index_words == "12.3 %"
    assert SummaryRow.from_result(result(mm2=0.0), seconds=None).index_words == ""
    assert SummaryRow.failed("a.svs", "empty", model="m").index_words == ""


def test_the_hotspot_is_the_hottest_by_index() -> None:
    spots = (
        Hotspot("hotspot 4", Order.POSITIVES, 1, 812.0, None),
        Hotspot("hotspot 2", Order.INDEX, 2, 33.3, None),
        Hotspot("hotspot 1", Order.INDEX, 1, 41.256, Estimate(36.5, 30.0, 42.0)),
    )
    row = SummaryRow.from_result(replace(result(1, 3), hotspots=Hotspots(HotspotRule(), spots)), seconds=None)
    assert row.columns()["hotspot_percent"] == "41.26"
    assert row.columns()["hotspot_remaining_percent"] == "36.50"
    assert row.no_hotspot == ""
    reason = "no hotspot: no cell is positive"
    none = SummaryRow.from_result(
        replace(result(1, 3), hotspots=Hotspots(HotspotRule(), (), reason)), seconds=None
    )
    assert none.no_hotspot == reason
    untold = replace(result(1, 3), hotspots=Hotspots(HotspotRule(), spots[1:2]))
    assert SummaryRow.from_result(untold, seconds=None).hotspot_percent is None


def sides(*probabilities: float | None) -> tuple[Verdict, ...]:
    """Verdicts on 5, 20 and 30 %."""
    return tuple(
        Verdict(cutoff, above, above is not None and not 0.05 < above < 0.95)
        for cutoff, above in zip((5.0, 20.0, 30.0), probabilities, strict=True)
    )


@pytest.mark.parametrize(
    ("verdicts", "index", "words"),
    [
        ((), 12.0, ""),
        (sides(1.0, 0.0, 0.0), 12.0, "above 5 up to 20 %, certain"),
        (sides(1.0, 0.7, 0.0), 21.0, "above 20 up to 30 %, second reader advised at 20 %"),
        (sides(1.0, 0.5, 0.0), 20.0, "above 5 up to 20 %, second reader advised at 20 %"),
        (sides(0.01, 0.0, 0.0), 2.0, "up to 5 %, certain"),
        (sides(1.0, 0.98, 0.6), 31.0, "above 30 %, second reader advised at 30 %"),
        (sides(None, None, None), 12.0, "above 5 up to 20 %, second reader advised"),
    ],
)
def test_verdicts_in_words(verdicts: tuple[Verdict, ...], index: float, words: str) -> None:
    assert verdict_words(verdicts, index) == words


def test_what_needs_a_look() -> None:
    good = with_interval(result(200, 800), low=18, high=22, verdicts=sides(1.0, 0.0, 0.0))
    assert not SummaryRow.from_result(good, seconds=None).needs_a_look
    unsure = with_interval(result(200, 800), low=18, high=22, verdicts=sides(1.0, 0.5, 0.0))
    for doubtful in (unsure, result(1, 3), result(200, 800, quality=BLURRED), result(mm2=0.0)):
        assert SummaryRow.from_result(doubtful, seconds=None).needs_a_look
    assert SummaryRow.failed("a.svs", "empty", model="m").needs_a_look


def test_of_thousands_of_regions_the_first_are_named() -> None:
    regions = tuple(Region(f"nest {k}", box(k, 0, k + 1, 10)) for k in range(3000))
    found = with_regions(findings(30, 70), regions, restrict=False)
    words = SummaryRow.from_result(assess(found, Conventions()), seconds=None).regions.split("; ")
    assert len(words) == 21 and words[0].startswith("nest 0 ") and words[-1] == "and 2,980 more"


def test_few_cells_are_flagged_only_of_an_index() -> None:
    """A slide without DAB has none: table and flags agree."""
    without = SummaryRow.from_result(result(0, 0, 9, staining=Staining.HE), seconds=1.0)
    assert (without.columns()["few_cells"], without.flags) == ("", ())
    few = SummaryRow.from_result(result(3, 4), seconds=1.0)
    assert (few.columns()["few_cells"], few.flags) == ("yes", ("few cells",))
    many = SummaryRow.from_result(result(300, 400), seconds=1.0)
    assert (many.columns()["few_cells"], many.flags) == ("no", ())
