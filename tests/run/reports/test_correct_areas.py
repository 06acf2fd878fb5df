"""Areas that were drawn, changed or taken away in QuPath become corrections, and what others drew stays."""

from __future__ import annotations

from pathlib import Path

import shapely

from tests.run.reports.edits import (
    Features,
    area,
    correct,
    placed,
    state,
    stored_regions,
    untouched,
)
from wsi_edt.corrections import (
    MakeRegion,
    Undo,
)
from wsi_edt.run.report import report_slides
from wsi_edt.run.stored import stored_slides


def test_an_area_that_reaches_over_the_slides_edge_is_taken(folder: Path) -> None:
    outcome = correct(folder, lambda features: features.append(area(5000, "all", "Tumor")))
    assert [type(one) for one in outcome.corrections] == [MakeRegion]


def test_a_region_that_was_renamed_in_the_file_is_renamed(folder: Path) -> None:
    correct(folder, lambda features: features.append(area(60, "core", "Tumor")))
    correct(folder, lambda features: features.append(area(60, "rim", "Tumor")))
    assert state(folder)[1] == ["Tumorrim"]


def test_of_two_regions_of_one_name_each_is_its_own(folder: Path) -> None:
    def first(features: Features) -> None:
        features.extend([placed(60, 0, "Tumor"), placed(40, 80, "Tumor")])

    def reshaped(features: Features) -> None:
        features.extend([placed(60, 0, "Tumor"), placed(30, 80, "Tumor")])

    assert len(correct(folder, first).corrections) == 2
    undo, region = correct(folder, reshaped).corrections
    assert (undo, isinstance(region, MakeRegion)) == (Undo(2), True)
    assert correct(folder, reshaped).corrections == ()
    assert sorted(shape.polygon.area for shape in stored_regions(folder)) == [900, 3600]


def test_a_region_that_was_taken_back_in_the_page_stays_so(folder: Path) -> None:
    def drawn(features: Features) -> None:
        features.append(placed(60, 0, "T"))

    correct(folder, drawn)
    stored_slides(folder)[0].corrections.append([Undo(1)], who="ada", seen=1)
    assert correct(folder, drawn).corrections == ()


def test_after_a_report_an_own_area_that_was_changed_is_replaced_and_none_is_lost(folder: Path) -> None:
    def drawn(features: Features) -> None:
        features.extend([placed(60, 0, None, "Ignore*"), placed(40, 80, None), placed(50, 10, "T")])

    correct(folder, drawn)
    report_slides(folder)

    def changed(features: Features) -> None:
        features.extend([placed(20, 0, None, "Ignore*"), placed(30, 45, None), placed(50, 10, "rim")])

    correct(folder, changed)
    assert sorted((one.name.split(" (")[0], one.polygon.area) for one in stored_regions(folder)) == [
        ("Region 1", 1600),
        ("Region 2", 900),
        ("excluded", 400),
        ("rim", 2500),
    ]
    assert correct(folder, changed).corrections == ()


def test_regions_of_others_stay_whatever_a_file_calls_its_own(folder: Path) -> None:
    by_page = MakeRegion("Region 1", shapely.box(5, 5, 60, 60), None)
    stored_slides(folder)[0].corrections.append([by_page], who="bob", seen=0)
    correct(folder, lambda features: features.append(placed(40, 90, "Region 1")))
    correct(folder, untouched)
    assert [one.polygon for one in stored_regions(folder)] == [by_page.polygon]
