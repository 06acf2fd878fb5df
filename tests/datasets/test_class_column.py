"""The column that tells the class, in tables whose texts were made up here."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from wsi_edt.cells import CellClass
from wsi_edt.datasets.points_io import read_points
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.classes import ClassNames

POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def classes_in(folder: Path, header: str, *rows: str, names: ClassNames | None = None) -> list[CellClass]:
    path = folder / "a.csv"
    path.write_text("\n".join([header, *(f"1.5,2.5,{row}" for row in rows)]), encoding="utf-8")
    (cells,) = read_points(path, classes=names or ClassNames()).values()
    return [CellClass(value) for value in cells.class_id.tolist()]


@pytest.mark.parametrize(
    ("header", "rows", "classes"),
    [
        ("x,y,foo", ("Positive", "", "neg"), [POSITIVE, NUCLEUS, NEGATIVE]),
        ("x,y,note,type", ("Positive,Negative", "free text,Positive"), [NEGATIVE, POSITIVE]),
        ("x,y,marker,label", ("Positive,+", "Negative,+"), [POSITIVE, POSITIVE]),  # label comes first
        ("x,y,class,stain", ("Positive,Negative",), [POSITIVE]),
        ("x,y,is positive", ("TRUE", "false", ""), [POSITIVE, NEGATIVE, NUCLEUS]),
        ("x,y,Ki-67 positive,id", ("1.0,1", "0.0,0"), [POSITIVE, NEGATIVE]),
        ("x,y,id,Ki 67", ("1,No", "0,Yes"), [NEGATIVE, POSITIVE]),
    ],
)
def test_a_column_all_of_whose_texts_are_classes_is_the_class(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    header: str,
    rows: tuple[str, ...],
    classes: list[CellClass],
) -> None:
    with caplog.at_level(logging.WARNING):
        assert classes_in(tmp_path, header, *rows) == classes
    assert not caplog.messages


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("x,y,note", ("Positive", "see slide 2")),  # a remark that happens to be a class's name
        ("x,y,label", ("1", "2")),  # objects that are numbered
        ("x,y,stain", ("1", "0")),  # which is which?
        ("x,y,Ki67", ("1", "2")),
        ("x,y,foo", ("", "")),
    ],
)
def test_others_are_not_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, header: str, rows: tuple[str, ...]
) -> None:
    with caplog.at_level(logging.WARNING):
        assert classes_in(tmp_path, header, *rows) == [NUCLEUS, NUCLEUS]
    assert f"it has {header.split(',')[-1].lower()}" in caplog.text


def test_a_column_that_tells_most_classes_asks_for_the_others(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="has the class 'Lymphocyte'"):
        classes_in(tmp_path, "x,y,type", "Positive", "Lymphocyte")
    names = ClassNames.from_options(["lymphocyte=ignore"])
    assert classes_in(tmp_path, "x,y,type", "Positive", "Lymphocyte", names=names) == [POSITIVE]


@pytest.mark.parametrize("column", ["Klasse", "classe", "Befund", "stain"])
@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("positiv", "negativ"),
        ("Positif", "Négatif"),
        ("positivo", "negativo"),
        ("positief", "negatief"),
        ("pozytywny", "negatywny"),
        ("positiivinen", "negatiivinen"),
    ],
)
def test_words_of_other_languages_are_asked_about(
    tmp_path: Path, column: str, positive: str, negative: str
) -> None:
    rows = (positive, negative, "")
    with pytest.raises(AnnotationError, match=f"line 2 has the class '{positive}'.* by --class '{positive}="):
        classes_in(tmp_path, f"x,y,{column}", *rows)
    names = ClassNames.from_options([f"{positive}=positive", f"{negative}=negative"])
    assert classes_in(tmp_path, f"x,y,{column}", *rows, names=names) == [POSITIVE, NEGATIVE, NUCLEUS]


def test_what_klasse_holds_is_its_class_whatever_it_is(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="has the class 'Krebs'"):
        classes_in(tmp_path, "x,y,Klasse", "Krebs")
    assert classes_in(tmp_path, "x,y,note", "Position 1", "Positron") == [NUCLEUS, NUCLEUS]


def test_a_user_s_names_make_a_column_the_class(tmp_path: Path) -> None:
    names = ClassNames.from_options(["1=negative", "2=positive", "3=nucleus"])
    assert classes_in(tmp_path, "x,y,foo", "1", "2", names=names) == [NEGATIVE, POSITIVE]
    assert names.never_met() == ["3"]
