"""What was edited in QuPath becomes corrections: cells.geojson edited by hand, and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.run.reports.edits import (
    Features,
    area,
    cell,
    correct,
    edit_all,
    edited,
    moved,
    of_class,
    reclass,
    state,
    untouched,
)
from wsi_edt.cli.main import run_command
from wsi_edt.corrections import (
    Add,
    Correction,
    Delete,
    Exclude,
    Flip,
    MakeRegion,
    NamedCells,
    Threshold,
    Undo,
)
from wsi_edt.errors import AnnotationError, OutputError, UsageError, WsiEdtError
from wsi_edt.qupath.classes import ClassNames
from wsi_edt.run.correct import correct_slide
from wsi_edt.run.report import report_slides
from wsi_edt.run.stored import stored_slides


def test_each_edit_becomes_a_correction(folder: Path) -> None:
    features = json.loads((folder / "cells.geojson").read_text())["features"]
    outcome = correct(folder, edit_all)
    flip, delete, add, region, exclude = outcome.corrections
    assert isinstance(flip, Flip)
    assert isinstance(delete, Delete)
    flipped = features[of_class(features, "Negative")[2]]["geometry"]["coordinates"]
    assert [round(flip.cells.x[0], 2), round(flip.cells.y[0], 2)] == flipped
    assert (len(flip.cells.index), len(delete.cells.index)) == (1, 1)
    assert add == Add(33.25, 44.5, "Negative")
    assert isinstance(region, MakeRegion)
    assert (region.name, region.class_name, region.polygon.area) == ("core", "Tumor", 3600)
    assert isinstance(exclude, Exclude)
    assert exclude.polygon.area == 400
    record = stored_slides(folder)[0].corrections.read()
    assert [entry.correction for entry in record.entries] == list(outcome.corrections)
    inside = [
        feature
        for feature in features
        if all(10 < place < 30 for place in feature["geometry"]["coordinates"])
    ]
    assert outcome.after.whole.total == outcome.before.whole.total - len(inside)  # one deleted, one added


@pytest.mark.parametrize(
    "feature",
    [
        cell(3000, 30, "Positive"),
        cell(-50, 30, "Positive"),
        cell(1e9, -5e9, "Negative"),
        moved(area(60, "core", "Tumor"), 5000),
        moved(area(60, None, "Ignore*"), 5000),
    ],
)
def test_what_lies_off_the_slide_is_refused(folder: Path, feature: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"px lies off the slide, which has \d+ × \d+ px"):
        correct(folder, lambda features: features.append(feature))
    assert not stored_slides(folder)[0].corrections.read().revision


def test_the_same_file_again_and_the_cells_of_the_next_report_change_nothing(folder: Path) -> None:
    correct(folder, edit_all)
    assert correct(folder, edit_all).corrections == ()
    report_slides(folder)
    assert correct(folder, lambda features: None).corrections == ()


def test_what_is_taken_back_in_the_file_is_taken_back(folder: Path) -> None:
    before = state(folder)
    correct(folder, edit_all)
    assert state(folder) != before
    correct(folder, untouched)
    assert state(folder) == before
    assert correct(folder, untouched).corrections == ()
    correct(folder, edit_all)
    changed = state(folder)
    assert correct(folder, edit_all).corrections == ()
    assert state(folder) == changed


def test_an_added_cell_of_another_class_in_the_file_has_that_class(folder: Path) -> None:
    correct(folder, lambda features: features.append(cell(33.25, 44.5, "Negative")))
    (flip,) = correct(folder, lambda features: features.append(cell(33.25, 44.5, "Positive"))).corrections
    assert isinstance(flip, Flip)
    assert (33.25, 44.5, "Positive") in state(folder)[0]


def test_what_others_corrected_since_stays(folder: Path) -> None:
    correct(folder, edit_all)
    (slide,) = stored_slides(folder)
    every = slide.every_cell()
    by_page: list[Correction] = [
        Delete(NamedCells.of(every, [0, 1])),
        Add(70.5, 80.25, "Positive"),
        Threshold(0.3),
    ]
    slide.corrections.append(by_page, who="ada", seen=5)
    there = state(folder)
    assert correct(folder, edit_all).corrections == ()
    assert state(folder) == there

    def one_more(features: Features) -> None:
        edit_all(features)
        reclass(features, of_class(features, "Negative")[9], "Positive")

    (flip,) = correct(folder, one_more).corrections
    assert isinstance(flip, Flip)


def test_what_was_imported_twice_counts_once(folder: Path) -> None:
    assert correct(folder, lambda features: features.extend(features[:40])).corrections == ()

    def twice(features: Features) -> None:
        features += [cell(33.25, 44.5, "Negative")] * 2
        features += [
            {key: value for key, value in feature.items() if key != "id"} for feature in features[:9]
        ]

    assert correct(folder, twice).corrections == (Add(33.25, 44.5, "Negative"),)


def test_cells_of_another_slide_are_refused_even_in_part(folder: Path) -> None:
    strange = [cell(5 + 3.0 * (k % 100), 5 + 3.0 * (k // 100), "Positive") for k in range(600)]
    with pytest.raises(AnnotationError, match="has 600 cells that aren't among the slide's"):
        correct(folder, lambda features: features.__setitem__(slice(None), strange), partial=True)


def test_a_file_whose_classes_were_reset_is_refused(folder: Path) -> None:
    def reset(features: Features) -> None:
        for which in range(len(features)):
            reclass(features, which, None)

    with pytest.raises(AnnotationError, match=r"cells without a class.*reset in QuPath"):
        correct(folder, reset)


def test_what_is_neither_a_cell_nor_an_area_is_said(folder: Path) -> None:
    line = area(60, "ruler", None) | {"geometry": {"type": "LineString", "coordinates": [[1, 1], [9, 9]]}}
    outcome = correct(folder, lambda features: features.append(line))
    assert outcome.corrections == ()
    assert outcome.in_words == ("passed over: 1 line",)


def test_edits_of_corrected_cells_go_on_from_there(folder: Path) -> None:
    correct(folder, edit_all)
    report_slides(folder)

    def edit(features: Features) -> None:
        at = next(
            k for k, feature in enumerate(features) if feature["geometry"]["coordinates"] == [33.25, 44.5]
        )
        reclass(features, at, "Positive")
        features.append(area(70, "core", "Tumor"))

    flip, undo, region = correct(folder, edit).corrections
    assert isinstance(flip, Flip)
    assert flip.cells.index == (-3,)
    assert undo == Undo(4)
    assert isinstance(region, MakeRegion)
    assert region.polygon.area == 4900


def test_a_cell_is_known_by_its_place_where_a_program_gives_new_ids(folder: Path) -> None:
    def edit(features: Features) -> None:
        for feature in features:
            del feature["id"]
        reclass(features, of_class(features, "Positive")[0], "Negative")

    (flip,) = correct(folder, edit).corrections
    assert isinstance(flip, Flip)


def test_a_cell_that_was_moved_or_lost_its_class_is_replaced(folder: Path) -> None:
    def edit(features: Features) -> None:
        features[0]["geometry"]["coordinates"][0] += 3
        reclass(features, 5, None)

    delete, moved, unclassed = correct(folder, edit).corrections
    assert isinstance(delete, Delete)
    assert len(delete.cells.index) == 2
    assert isinstance(moved, Add)
    assert isinstance(unclassed, Add)
    assert {moved.class_name, unclassed.class_name} >= {"Nucleus"}
    assert correct(folder, edit).corrections == ()


def test_classes_of_a_users_own_are_asked_for(folder: Path) -> None:
    def edit(features: Features) -> None:
        reclass(features, 0, "Immune cells")

    with pytest.raises(AnnotationError, match="has the class 'Immune cells'"):
        correct(folder, edit)
    (delete,) = correct(folder, edit, classes=["Immune cells=ignore"]).corrections
    assert isinstance(delete, Delete)


def test_of_a_part_of_the_cells_the_others_stay(folder: Path) -> None:
    def edit(features: Features) -> None:
        reclass(features, 0, "Ignore*")
        del features[5:]

    with pytest.raises(AnnotationError, match="others would count as deleted"):
        correct(folder, edit)
    (delete,) = correct(folder, edit, partial=True).corrections
    assert isinstance(delete, Delete)
    assert len(delete.cells.index) == 1


def test_a_file_of_an_earlier_report_is_refused_as_it_would_undo_what_came_after(folder: Path) -> None:
    earlier = folder / "earlier.geojson"
    earlier.write_bytes((folder / "cells.geojson").read_bytes())
    (flip,) = correct(
        folder, lambda features: reclass(features, of_class(features, "Negative")[0], "Positive")
    ).corrections
    assert isinstance(flip, Flip)
    assert correct_slide(folder, earlier, who="bob", classes=ClassNames()).corrections == ()
    report_slides(folder)
    with pytest.raises(AnnotationError, match="it was made from an earlier one"):
        correct_slide(folder, earlier, who="ada", classes=ClassNames())


def test_a_record_that_lacks_what_was_reported_is_refused(folder: Path) -> None:
    correct(folder, edit_all)
    report_slides(folder)
    (folder / "corrections.json").unlink()
    with pytest.raises(
        OutputError, match=r"was reported with 5 corrections, of which corrections\.json has 0 now"
    ):
        correct(folder, untouched)
    report_slides(folder)
    assert correct(folder, untouched).corrections == ()


def test_nothing_is_stored_if_nothing_is_asked_for(folder: Path) -> None:
    outcome = correct(folder, edit_all, dry_run=True)
    assert len(outcome.corrections) == 5
    assert not (folder / "corrections.json").exists()


def test_it_is_of_one_slide(out: Path) -> None:
    with pytest.raises(UsageError, match="holds several slides"):
        correct_slide(out, out / "a.png/cells.geojson", who="ada", classes=ClassNames())


def test_a_file_that_is_not_there_is_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["correct", str(folder), str(folder / "nowhere.geojson")]) == 2
    assert "nowhere.geojson doesn't exist" in capsys.readouterr().err


def test_the_command_says_what_it_stored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = edited(folder, edit_all)
    assert run_command(["correct", str(folder), str(path), "--who", "Ada"]) == 0
    said = capsys.readouterr().out
    assert "1 cell flipped\n1 cell deleted\n1 negative cell added\nregion 'core' of class Tumor drawn" in said
    assert "Ki-67 index before: " in said
    assert run_command(["correct", str(folder), str(path)]) == 0
    assert capsys.readouterr().out == "Nothing was edited.\n"
    assert run_command(["correct", str(folder), str(folder / "ki67.json")]) == WsiEdtError.exit_code
