"""Cells from tables of text: CSV as programs and spreadsheets write it, and QuPath's own export of measurements."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.annotations.content import text_of
from wsi_edt.annotations.tables import Columns, Table, open_table
from wsi_edt.cells import CellClass
from wsi_edt.datasets.points_found import PointsFound
from wsi_edt.datasets.records import PointRecords, parse_number, points_stem
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.classes import ClassNames, UnknownClasses

# By what a column means, its names in lower case without what stands around a unit.
_log = logging.getLogger(__name__)
_MOST_OTHERS = 6  # of columns that might have been meant as the class; a table of measurements has dozens
_COLUMNS: Columns = {
    "x": ("x", "x px"),
    "y": ("y", "y px"),
    "centroid_x": ("centroid x px", "centroid x"),
    "centroid_y": ("centroid y px", "centroid y"),
    "x_um": ("x µm",),
    "y_um": ("y µm",),
    "centroid_x_um": ("centroid x µm",),
    "centroid_y_um": ("centroid y µm",),
    "class": ("class", "classification", "label"),
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
    corner : the level-0 point from which QuPath measures centroids

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
    stem = points_stem(path)
    has_images = "image" in table.columns
    if "class" not in table.columns and 0 < len(table.others) <= _MOST_OTHERS:
        _log.warning(
            "%s: has no column class, so that its cells have none; it has %s", path, ", ".join(table.others)
        )
    if not has_images:
        records.add_image(stem)
    for line, fields in table.rows:
        where = f"{path}, line {line}"
        kind = table.cell(fields, "type").lower()
        if kind not in _CELL_TYPES:
            passed_over[f"object of type {kind}"] += 1
            continue
        if table.cell(fields, "name").lower() == _UNNAMED_ANNOTATION:
            passed_over["annotation"] += 1
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
        x, y = (_number_text(table, fields, name, where) for name in (axes.x, axes.y))
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
        raise AnnotationError(f"has no {name.removeprefix('centroid_').removesuffix('_um')}", where=where)
    return text
