"""Cells from tables of text: CSV as programs and spreadsheets write it, and QuPath's own export of measurements."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from wsi_edt.annotations.content import text_of
from wsi_edt.annotations.tables import Columns, Table, open_table
from wsi_edt.cells import CellClass
from wsi_edt.datasets.points_found import PointsFound
from wsi_edt.datasets.records import PointRecords, parse_number, points_stem
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.classes import ClassNames, UnknownClasses

# By what a column means, its names in lower case without what stands around a unit. QuPath's are "Centroid X µm".
_COLUMNS: Columns = {
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
        table = open_table(
            text_of(content, path), path, columns=_COLUMNS, suffice=_has_positions, needs="x and y"
        )
        in_um = "x" not in table.columns
        if in_um and mpp is None:
            raise AnnotationError(
                "has positions in µm", where=path, remedy="pass --mpp, the µm per px of the image they are of"
            )
        return _read(table, path, scale=mpp if in_um else None, classes=classes)
    except csv.Error as error:
        raise AnnotationError(f"isn't CSV: {error}", where=path) from error


def _has_positions(meanings: Collection[str]) -> bool:
    return {"x", "y"} <= set(meanings) or {"x_um", "y_um"} <= set(meanings)


def _read(table: Table, path: Path, *, scale: float | None, classes: ClassNames) -> PointsFound:
    records = PointRecords(um_per_px=scale)
    passed_over: Counter[str] = Counter()
    unknown = UnknownClasses()
    stem = points_stem(path)
    x_name, y_name = ("x", "y") if scale is None else ("x_um", "y_um")
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
        score = table.number_text(fields, "score")
        records.add_point(
            table.cell(fields, "image") if has_images else stem,
            x,
            y=y,
            score=parse_number(score, where) if score else 1.0,
            class_id=CellClass(class_id),
            where=where,
        )
    unknown.refuse()
    return PointsFound(records.by_image(), passed_over)


def _number_text(table: Table, fields: list[str], name: str, where: str) -> str:
    text = table.number_text(fields, name)
    if not text:
        raise AnnotationError(f"has no {name.removesuffix('_um')}", where=where)
    return text
