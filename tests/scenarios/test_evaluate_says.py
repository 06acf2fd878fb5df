"""`evaluate` says what it read and what it didn't: a table of zeros, or one without positive and negative, is no answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wsi_edt.cli.main import run_command

POSITIVE_ROW = ["positive", "2", "2", "2"]  # cells, found, matched
NEGATIVE_ROW = ["negative", "1", "1", "1"]
SQUARE = [[[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]]


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text("x,y,class\n100.5,100.5,positive\n200.5,200.5,positive\n300.5,300.5,negative\n")
    return path


@dataclass(frozen=True)
class Said:
    """The command's exit code, its figures by their first word, and what it said beside them."""

    code: int
    rows: dict[str, list[str]]
    words: str


Evaluate = Callable[..., Said]


@pytest.fixture
def evaluate(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Evaluate:
    def command(*words: object) -> Said:
        caplog.clear()
        code = run_command(["evaluate", *map(str, words), "--radius", "1", "--bootstrap", "0"])
        out, err = capsys.readouterr()
        rows = (line.split() for line in out.splitlines())
        figures = {row[0]: row[:4] for row in rows if row and row[0] in ("all", "positive", "negative")}
        return Said(code, figures, " ".join([*err.split(), *caplog.messages]))

    return command


def points(path: Path, *names: str | None, **properties: object) -> Path:
    """Detections at the truth's places."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [100.5 + 100 * n] * 2},
            "properties": {
                "objectType": "detection",
                "classification": name and {"name": name},
                **properties,
            },
        }
        for n, name in enumerate(names)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def scripted(path: Path, name: str, *texts: str) -> Path:
    """Points at the truth's places with a property of that name."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [100.5 + 100 * n] * 2},
            "properties": {name: text},
        }
        for n, text in enumerate(texts)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def areas(path: Path, **properties: object) -> Path:
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": SQUARE},
        "properties": properties,
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature] * 4}))
    return path


@pytest.mark.parametrize("side", ["result", "truth"])
@pytest.mark.parametrize(
    "properties", [{"objectType": "annotation"}, {}, {"classification": {"name": "Positive"}}]
)
def test_annotations_alone_are_an_error_on_either_side(
    tmp_path: Path, truth: Path, evaluate: Evaluate, side: str, properties: dict[str, Any]
) -> None:
    drawn = areas(tmp_path / "drawn.geojson", **properties)
    said = evaluate(*((drawn, truth) if side == "result" else (truth, drawn)))
    assert (said.code, said.rows) == (1, {})
    assert "drawn.geojson holds 4 annotations with an area, but no cells" in said.words


@pytest.mark.parametrize("side", ["result", "truth"])
def test_nothing_at_all_is_an_error_on_either_side(
    tmp_path: Path, truth: Path, evaluate: Evaluate, side: str
) -> None:
    empty = points(tmp_path / "empty.geojson")
    said = evaluate(*((empty, truth) if side == "result" else (truth, empty)))
    assert (said.code, said.rows) == (1, {})
    assert "empty.geojson holds no cells, so that there is nothing to compare" in said.words


def test_the_list_of_old_qupath_is_read(tmp_path: Path, truth: Path, evaluate: Evaluate) -> None:
    def old(kind: str, centre: float, name: str) -> dict[str, Any]:
        ring = [[centre + x, centre + y] for x, y in ((-4, -4), (4, -4), (4, 4), (-4, 4), (-4, -4))]
        own = {"classification": {"name": name, "colorRGB": -377282}}
        return {
            "type": "Feature",
            "id": kind,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": own,
        }

    features = [
        old("PathDetectionObject", 100.5, "Positive"),
        old("PathCellObject", 200.5, "Positive"),
        old("PathDetectionObject", 300.5, "Negative"),
        old("PathAnnotationObject", 900.5, "Tumor"),
    ]
    (tmp_path / "old.json").write_text(json.dumps(features))
    said = evaluate(tmp_path / "old.json", truth)
    assert (said.rows["positive"], said.rows["negative"]) == (POSITIVE_ROW, NEGATIVE_ROW)
    assert "passed over what doesn't count as a cell: 1 annotation with an area" in said.words


@pytest.mark.parametrize(
    ("column", "positive", "negative"),
    [
        ("Classification", "Positive", "Negative"),
        ("label", "Positive", "Negative"),
        ("type", "positive", "negative"),
        ("Name", "Positive", "Negative"),
        ("class_name", "POS", "NEG"),
        ("stain", "+", "-"),
        ("Ki67", "1", "0"),
        ("Ki-67", "yes", "no"),
        ("Class", "+", "\N{MINUS SIGN}"),
        ("class", "Tumor: Positive", "Tumor: Negative"),
        ("Cell type", "Ki-67 positive", "Ki-67 negative"),
        ("Immunreaktion", "Positive cell", "Negative cell"),
    ],
)
def test_the_class_is_found_whatever_its_column_is_called(
    tmp_path: Path,
    truth: Path,
    evaluate: Evaluate,
    column: str,
    positive: str,
    negative: str,
) -> None:
    found = tmp_path / "found.csv"
    rows = [(100.5, positive), (200.5, positive), (300.5, negative)]
    lines = [f"x,y,{column}", *(f"{place},{place},{name}" for place, name in rows)]
    found.write_text("\n".join(lines), encoding="utf-8")
    for files in ((found, truth), (truth, found)):
        said = evaluate(*files)
        assert (said.code, said.words) == (0, "")
        assert (said.rows["positive"], said.rows["negative"]) == (POSITIVE_ROW, NEGATIVE_ROW)


def test_a_column_that_means_nothing_is_said_with_its_texts_and_can_be_named(
    tmp_path: Path, truth: Path, evaluate: Evaluate
) -> None:
    found = tmp_path / "found.csv"
    found.write_text("x,y,type\n100.5,100.5,A\n200.5,200.5,A\n300.5,300.5,B\n")
    said = evaluate(found, truth)
    assert list(said.rows) == ["all"]
    assert "found.csv: has no column class, so that its cells have none; it has type ('a', 'b')" in said.words
    assert "--class TEXT=positive" in said.words
    assert "none of its 3 cells is positive or negative, so that only all cells are compared" in said.words
    said = evaluate(found, truth, "--class", "A=positive", "--class", "B=negative")
    assert (said.rows["positive"], said.rows["negative"], said.words) == (POSITIVE_ROW, NEGATIVE_ROW, "")


@pytest.mark.parametrize("column", ["class", "Classification"])
def test_numbers_of_classes_are_asked_about_not_guessed(
    tmp_path: Path, truth: Path, evaluate: Evaluate, column: str
) -> None:
    """In one program 1 is the first class, in another the second."""
    found = tmp_path / "found.csv"
    found.write_text(f"x,y,{column}\n100.5,100.5,1\n200.5,200.5,1\n300.5,300.5,0\n")
    said = evaluate(found, truth)
    assert (said.code, said.rows) == (1, {})
    assert "has the class '1'" in said.words and "(in all 2 '1', 1 '0')" in said.words
    said = evaluate(found, truth, "--class", "1=positive", "--class", "0=negative")
    assert (said.rows["positive"], said.rows["negative"]) == (POSITIVE_ROW, NEGATIVE_ROW)


def test_foreign_classes_of_geojson_get_a_meaning_by_an_option_that_the_refusal_names(
    tmp_path: Path, truth: Path, evaluate: Evaluate
) -> None:
    found = points(tmp_path / "found.geojson", "Tumor: 1+", "Tumor: 2+", "Neoplastic")
    said = evaluate(found, truth)
    assert (said.code, said.rows) == (1, {})
    assert "in all 1 'Tumor: 1+', 1 'Tumor: 2+', 1 'Neoplastic'" in said.words
    assert "by --class 'Tumor: 1+=" in said.words
    meant = ("1+=positive", "Tumor: 2+=positive", "neoplastic=negative")
    said = evaluate(found, truth, *(word for one in meant for word in ("--class", one)))
    assert (said.rows["positive"], said.rows["negative"], said.words) == (POSITIVE_ROW, NEGATIVE_ROW, "")


def test_a_class_that_no_cell_has_is_said(tmp_path: Path, truth: Path, evaluate: Evaluate) -> None:
    found = points(tmp_path / "found.geojson", "Positive", "Tumor: Positive", "Negative")
    said = evaluate(found, truth, "--class", "Neoplasic=nucleus", "--class", "tumor: positive=positive")
    assert (said.code, said.rows["positive"]) == (0, POSITIVE_ROW)
    assert said.words == "--class Neoplasic: no cell has this class"


def test_cells_without_classes_leave_out_two_lines_and_it_is_said_why(
    tmp_path: Path, truth: Path, evaluate: Evaluate
) -> None:
    found = points(tmp_path / "found.geojson", None, None, None)
    said = evaluate(found, truth)
    assert said.rows == {"all": ["all", "3", "3", "3"]}
    assert "found.geojson: none of its 3 cells is positive or negative" in said.words
    said = evaluate(found, found)
    assert said.words == ""  # nobody expects classes there


@pytest.mark.parametrize("name", ["class", "Class", "label", "name", "type", "cell_type", "classification"])
def test_the_class_of_geojson_is_found_whatever_its_property_is_called(
    tmp_path: Path, truth: Path, evaluate: Evaluate, name: str
) -> None:
    """As Python scripts write it, without QuPath's classification."""
    found = scripted(tmp_path / "found.geojson", name, "Positive", "positive", "neg")
    for files in ((found, truth), (truth, found)):
        said = evaluate(*files)
        assert (said.rows["positive"], said.rows["negative"]) == (POSITIVE_ROW, NEGATIVE_ROW)
        assert (said.code, said.words) == (0, "")


@pytest.mark.parametrize(("name", "texts"), [("class", "AAB"), ("label", ("positiv", "positiv", "negativ"))])
def test_foreign_classes_of_a_property_get_a_meaning(
    tmp_path: Path, truth: Path, evaluate: Evaluate, name: str, texts: tuple[str, ...]
) -> None:
    found = scripted(tmp_path / "found.geojson", name, *texts)
    said = evaluate(found, truth)
    assert (said.code, said.rows) == (1, {})
    assert f"(in all 2 '{texts[0]}', 1 '{texts[2]}')" in said.words
    assert f"by --class '{texts[0]}=" in said.words
    said = evaluate(found, truth, "--class", f"{texts[0]}=positive", "--class", f"{texts[2]}=negative")
    assert (said.rows["positive"], said.rows["negative"], said.words) == (POSITIVE_ROW, NEGATIVE_ROW, "")


def test_a_property_that_may_be_the_class_is_said(tmp_path: Path, truth: Path, evaluate: Evaluate) -> None:
    found = scripted(tmp_path / "found.geojson", "label", "A", "A", "B")
    said = evaluate(found, truth)
    assert list(said.rows) == ["all"]
    assert "have no class, but the property label ('A', 'B')" in said.words
    assert "--class TEXT=positive" in said.words
    named = evaluate(scripted(tmp_path / "found.geojson", "name", "A", "A", "B"), truth)
    assert "the property" not in named.words  # objects have names


def test_qupaths_classification_comes_before_a_property(
    tmp_path: Path, truth: Path, evaluate: Evaluate
) -> None:
    found = points(tmp_path / "found.geojson", "Positive", "Positive", "Negative", label="Negative")
    said = evaluate(found, truth)
    assert (said.rows["positive"], said.words) == (POSITIVE_ROW, "")


def test_cells_without_a_class_among_others_are_said(tmp_path: Path, truth: Path, evaluate: Evaluate) -> None:
    found = points(tmp_path / "found.geojson", "Positive", "Positive", None, "Negative", "Nucleus", "Ignore*")
    table = tmp_path / "table.csv"
    table.write_text("x,y,class\n100.5,100.5,positive\n200.5,200.5,\n300.5,300.5,\n400.5,400.5,nucleus\n")
    said = evaluate(found, truth)
    assert said.rows["all"] == ["all", "3", "5", "3"]
    assert said.words.removeprefix(
        f"{found}: passed over what doesn't count as a cell: 1 cell of a class to ignore "
    ) == (f"{found}: 1 of 5 cells has no class and counts among all cells alone")
    said = evaluate(table, truth)
    assert said.rows["all"] == ["all", "3", "4", "3"]
    assert said.words == f"{table}: 2 of 4 cells have no class and count among all cells alone"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "found.geojson is empty"),
        (" \n", "found.geojson is empty"),
        ("[" * 100_000, "isn't GeoJSON: it is nested too deeply"),
        (
            '{"type":"Feature","properties":{"objectType":"detection"},"geometry":'
            + '{"type":"GeometryCollection","geometries":[' * 480
            + "]}" * 480
            + "}",
            "feature 1 has a GeometryCollection that can't be read: it is nested too deeply",
        ),
    ],
    ids=["empty", "blank", "lists", "geometries"],
)
def test_words_for_files_of_nothing_and_of_nests(
    tmp_path: Path, truth: Path, evaluate: Evaluate, content: str, says: str
) -> None:
    (tmp_path / "found.geojson").write_text(content)
    said = evaluate(tmp_path / "found.geojson", truth)
    assert (said.code, said.rows) == (1, {})
    assert says in said.words and "recursion" not in said.words
