"""Cells from tables of text: CSV as programs and spreadsheets write it, and QuPath's own export of measurements."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.annotations.content import text_of
from wsi_edt.cells import CellClass
from wsi_edt.datasets.points_found import PointsFound
from wsi_edt.datasets.records import PointRecords, parse_number, points_stem
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.classes import ClassNames, UnknownClasses

DELIMITERS = ",;\t"
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*$", re.IGNORECASE)  # Excel's first line
# By what a column means, its names in lower case without what stands around a unit. QuPath's are "Centroid X µm".
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "x": ("x", "x px", "centroid x px", "centroid x"),
    "y": ("y", "y px", "centroid y px", "centroid y"),
    "x_um": ("x µm", "centroid x µm"),
    "y_um": ("y µm", "centroid y µm"),
    "class": ("class", "classification", "label"),
    "score": ("score",),
    "image": ("image", "image name"),
    "type": ("object type",),
}
_CELL_TYPES = ("", "detection", "cell", "point", "pathdetectionobject", "pathcellobject", "points")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table's rows, each with its line number, and where its columns are.

    Attributes
    ----------
    columns : by what they mean, their numbers
    decimal_comma : whether numbers may have one
    in_um : whether positions are in µm
    """

    rows: Iterator[tuple[int, list[str]]]
    columns: Mapping[str, int]
    decimal_comma: bool

    @property
    def in_um(self) -> bool:
        return "x" not in self.columns

    def cell(self, fields: list[str], name: str) -> str:
        """What a row has in a column, "" if there is no such column or the row is too short."""
        column = self.columns.get(name)
        return fields[column].strip() if column is not None and column < len(fields) else ""


def parse_csv(content: bytes, path: Path, *, mpp: float | None, classes: ClassNames) -> PointsFound:
    """The cells of a table by image.

    The header names the columns in any order: x and y, in px or, as QuPath exports them, "Centroid X µm"; and, if known,
    class (positive, negative, nucleus or nothing), score, and image. Without an image column the file is one image,
    named after its stem. Other columns don't matter. Commas, semicolons and tabs separate; with the latter two, numbers
    may have decimal commas. A file in which every coordinate is a whole number of px holds pixel indices: their
    centres are half a pixel further on.

    Parameters
    ----------
    content : UTF-8 or UTF-16
    path : names the file in errors and the image
    mpp : µm per px of the images, for positions in µm
    classes : what other names of classes stand for

    Raises
    ------
    AnnotationError
        If there is no header with x and y, a number is missing or isn't one, a class isn't known, or positions are in µm
        and `mpp` is None; it names the line.
    """
    try:
        table = _open(text_of(content, path), path)
        if table.in_um and mpp is None:
            raise AnnotationError(
                "has positions in µm", where=path, remedy="pass --mpp, the µm per px of the image they are of"
            )
        scale = mpp if table.in_um and mpp is not None else None
        return _read(table, path, scale=scale, classes=classes)
    except csv.Error as error:
        raise AnnotationError(f"isn't CSV: {error}", where=path) from error


def _open(text: str, path: Path) -> _Table:
    """Find the delimiter and the header."""
    lines = io.StringIO(text, newline="")
    given, start, first = None, 0, lines.readline()
    separator = _SEPARATOR_LINE.match(first)
    if separator:
        given, start, first = separator[1], 1, lines.readline()
    known: dict[str, int] = {}
    delimiter = ","
    for delimiter in given or DELIMITERS:
        known = _known_columns(next(csv.reader([first], delimiter=delimiter, strict=True), []))
        if {"x", "y"} <= known.keys() or {"x_um", "y_um"} <= known.keys():
            break
    else:
        raise AnnotationError(f"has no header with x and y: its first line is {first.strip()!r}", where=path)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows = ((start + 1 + reader.line_num, fields) for fields in reader if any(map(str.strip, fields)))
    return _Table(rows, known, decimal_comma=delimiter != ",")


def _known_columns(header: list[str]) -> dict[str, int]:
    """The columns that mean something, each by its first name in the header."""
    names = [_normal(name) for name in header]
    found = {}
    for meaning, spellings in _COLUMNS.items():
        places = [names.index(spelling) for spelling in spellings if spelling in names]
        if places:
            found[meaning] = places[0]
    return found


def _normal(name: str) -> str:
    """A column's name without case, brackets and the many ways to write µm."""
    plain = name.lstrip("\ufeff").strip().lower().replace("μ", "µ").replace("âµ", "µ").replace("â", "")
    plain = re.sub(r"[\[\](),_:\s]+", " ", plain).strip()
    return re.sub(r"\b(um|microns?|micrometers?|micrometres?)$", "µm", plain)


def _read(table: _Table, path: Path, *, scale: float | None, classes: ClassNames) -> PointsFound:
    records = PointRecords(um_per_px=scale)
    passed_over: Counter[str] = Counter()
    unknown = UnknownClasses()
    stem = points_stem(path)
    x_name, y_name = ("x_um", "y_um") if table.in_um else ("x", "y")
    has_images = "image" in table.columns
    if not has_images:
        records.add_image(stem)
    for line, fields in table.rows:
        where = f"{path}, line {line}"
        kind = table.cell(fields, "type").lower()
        if kind not in _CELL_TYPES:
            passed_over[f"object of type {kind}"] += 1
            continue
        label = table.cell(fields, "class")
        try:
            class_id = classes.meaning(label)
        except KeyError:
            unknown.add(label, where)
            continue
        if class_id is None:
            passed_over["cell of a class to ignore"] += 1
            continue
        x, y = (_number_text(table, fields, name, where) for name in (x_name, y_name))
        score = table.cell(fields, "score")
        records.add_point(
            table.cell(fields, "image") if has_images else stem,
            x,
            y=y,
            score=parse_number(_with_point(score, table), where) if score else 1.0,
            class_id=CellClass(class_id),
            where=where,
        )
    unknown.refuse()
    return PointsFound(records.by_image(), passed_over)


def _number_text(table: _Table, fields: list[str], name: str, where: str) -> str:
    text = table.cell(fields, name)
    if not text:
        raise AnnotationError(f"has no {name.removesuffix('_um')}", where=where)
    return _with_point(text, table)


def _with_point(text: str, table: _Table) -> str:
    return text.replace(",", ".") if table.decimal_comma else text
