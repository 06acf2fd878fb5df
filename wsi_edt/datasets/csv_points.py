"""Cells from tables of text: CSV as programs and spreadsheets write it, and QuPath's own export of measurements."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.annotations.content import text_of
from wsi_edt.annotations.numbers import NumberTexts
from wsi_edt.annotations.tables import Columns, Table, open_table
from wsi_edt.cells import CellClass
from wsi_edt.datasets.class_column import ClassColumn, find_class_column
from wsi_edt.datasets.points_found import PointsFound
from wsi_edt.datasets.records import PointRecords, parse_number, points_stem
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.classes import CLASS_WORDS, ClassNames, UnknownClasses

# By what a column means, its names in lower case without what stands around a unit.
_COLUMNS: Columns = {
    "x": ("x", "x px", "x coordinate", "x position", "position x", "pos x", "center x", "centre x", "cx"),
    "y": ("y", "y px", "y coordinate", "y position", "position y", "pos y", "center y", "centre y", "cy"),
    "centroid_x": ("centroid x px", "centroid x"),
    "centroid_y": ("centroid y px", "centroid y"),
    "x_um": ("x µm",),
    "y_um": ("y µm",),
    "centroid_x_um": ("centroid x µm",),
    "centroid_y_um": ("centroid y µm",),
    "class": CLASS_WORDS,
    "score": ("score",),
    "image": ("image", "image name"),
    "type": ("object type",),
    "name": ("name",),
}
_CELL_TYPES = ("", "detection", "cell", "point", "pathdetectionobject", "pathcellobject", "points")
_UNNAMED_ANNOTATION = "pathannotationobject"  # what QuPath calls it in tables without a column of types


@dataclass(frozen=True, slots=True)
class _Axes:
    """The two columns of positions.

    Attributes
    ----------
    x, y : what they mean, keys of `_COLUMNS`
    in_um : whether their unit is µm
    of_qupath : whether they are centroids, which QuPath measures from the corner of what it shows
    """

    x: str
    y: str
    in_um: bool
    of_qupath: bool


# The best first: px need no µm/px.
_AXES = (
    _Axes("x", "y", in_um=False, of_qupath=False),
    _Axes("centroid_x", "centroid_y", in_um=False, of_qupath=True),
    _Axes("x_um", "y_um", in_um=True, of_qupath=False),
    _Axes("centroid_x_um", "centroid_y_um", in_um=True, of_qupath=True),
)


def parse_csv(
    content: bytes,
    path: Path,
    *,
    mpp: float | None,
    classes: ClassNames,
    corner: tuple[float, float] = (0.0, 0.0),
) -> PointsFound:
    """The cells of a table by image.

    The header names the columns in any order: x and y, in px or, as QuPath exports them, "Centroid X µm"; and, if known,
    class (positive, negative, nucleus or nothing; see `find_class_column`), score, and image. Without an image column the
    file is one image, named after its stem. Other columns don't matter. Commas, semicolons and tabs separate; numbers may
    have decimal commas, see `NumberTexts`. A file in which every coordinate is a whole number of px holds pixel indices:
    their centres are half a pixel further on.

    Parameters
    ----------
    content : UTF-8 or UTF-16
    path : names the file in errors and the image
    mpp : µm per px of the images, for positions in µm
    classes : what other names of classes stand for
    corner : the level-0 point from which QuPath measures centroids

    Raises
    ------
    AnnotationError
        If there is no header with x and y, a number is missing or isn't one, a class isn't known, or positions are in µm
        and `mpp` is None; if a row has more fields than the header. It names the line.
    """
    try:
        table = open_table(
            text_of(content, path), path, columns=_COLUMNS, suffice=_has_positions, needs="x and y"
        )
        axes = _axes_of(table.columns)
        assert axes is not None
        if axes.in_um and mpp is None:
            raise AnnotationError(
                "has positions in µm", where=path, remedy="pass --mpp, the µm per px of the image they are of"
            )
        records = PointRecords(
            um_per_px=mpp if axes.in_um else None,
            corner=corner if axes.of_qupath else (0.0, 0.0),
            may_be_indices=not axes.of_qupath and not axes.in_um,
        )
        return _read(table, path, records=records, axes=axes, classes=classes)
    except csv.Error as error:
        raise AnnotationError(f"isn't CSV: {error}", where=path) from error


def _axes_of(meanings: Collection[str]) -> _Axes | None:
    return next((axes for axes in _AXES if axes.x in meanings and axes.y in meanings), None)


def _has_positions(meanings: Collection[str]) -> bool:
    return _axes_of(meanings) is not None


def _read(
    table: Table, path: Path, *, records: PointRecords, axes: _Axes, classes: ClassNames
) -> PointsFound:
    passed_over: Counter[str] = Counter()
    unknown = UnknownClasses()
    numbers = NumberTexts(points_may_group=table.delimiter == ";")
    stem = points_stem(path)
    has_images, has_scores = "image" in table.columns, "score" in table.columns
    rows: Iterable[tuple[int, list[str]]] = table.rows
    column = ClassColumn(table.columns.get("class"))
    if column.at is None:
        rows = list(rows)
        column = find_class_column(table, rows, path, classes)
    if not has_images:
        records.add_image(stem)
    may_be_others = bool({"type", "name"} & table.columns.keys())
    meanings: dict[str, CellClass | None] = {}
    unclassed = 0
    for line, fields in rows:
        where = f"{path}, line {line}"
        if len(fields) > table.width:
            _refuse_surplus(table, fields, where)
        other = _not_a_cell(table, fields) if may_be_others else None
        if other is not None:
            passed_over[other] += 1
            continue
        label = column.label(fields)
        if label not in meanings:
            try:
                meanings[label] = classes.meaning(label)
            except KeyError:
                unknown.add(label, where)
                continue
        class_id = meanings[label]
        if class_id is None:
            passed_over["cell of a class to ignore"] += 1
            continue
        x, y = (_number_text(table, fields, name, where) for name in (axes.x, axes.y))
        score = table.cell(fields, "score") if has_scores else ""
        records.add_point(
            table.cell(fields, "image") if has_images else stem,
            numbers.plain(x, where),
            y=numbers.plain(y, where),
            score=parse_number(numbers.plain(score, where), where) if score else 1.0,
            class_id=class_id,
            where=where,
        )
        unclassed += not label
    unknown.refuse()
    numbers.refuse_doubtful()
    return PointsFound(records.by_image(), passed_over, unclassed)


def _refuse_surplus(table: Table, fields: list[str], where: str) -> None:
    surplus = table.surplus(fields)
    if surplus is not None:  # "100,5,200,5" would be read as (100, 5)
        raise AnnotationError(surplus, where=where, remedy=table.surplus_remedy)


def _not_a_cell(table: Table, fields: list[str]) -> str | None:
    """What a row is if it is no cell."""
    kind = table.cell(fields, "type").lower()
    if kind not in _CELL_TYPES:
        return f"object of type {kind}"
    return "annotation" if table.cell(fields, "name").lower() == _UNNAMED_ANNOTATION else None


def _number_text(table: Table, fields: list[str], name: str, where: str) -> str:
    text = table.cell(fields, name)
    if not text:
        raise AnnotationError(f"has no {name.removeprefix('centroid_').removesuffix('_um')}", where=where)
    return text
