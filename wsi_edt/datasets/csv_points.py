"""Cells from CSV: a header with x and y, and class, score and image if they are known."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets.records import PointRecords, parse_number, points_stem
from wsi_edt.errors import AnnotationError

_CLASSES = {kind.label.lower(): kind for kind in CellClass} | {"": CellClass.NUCLEUS}


def parse_csv(content: bytes, path: Path) -> dict[str, Cells]:
    """The cells of a CSV file by image.

    The header names the columns in any order: x and y, in px; and, if known, class (positive, negative, nucleus
    or nothing), score, and image. Without an image column the file is one image, named after its stem. Other columns
    don't matter. A file in which every coordinate is a whole number holds pixel indices: their centres are half a
    pixel further on.

    Parameters
    ----------
    content : UTF-8
    path : names the file in errors and the image
    """
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip().lower() for name in next(lines, [])]
        if not {"x", "y"} <= set(header):
            raise AnnotationError(
                f"has no header with x and y: its first line is {','.join(header)!r}", where=path
            )
        records = PointRecords()
        if "image" not in header:
            records.add_image(points_stem(path))
        for fields in lines:
            if fields:
                _add_row(
                    records, dict(zip(header, fields, strict=False)), f"{path}, line {lines.line_num}", path
                )
    except (UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"isn't CSV in UTF-8: {error}", where=path) from error
    return records.by_image()


def _add_row(records: PointRecords, row: dict[str, str], where: str, path: Path) -> None:
    missing = [name for name in ("x", "y") if not row.get(name, "").strip()]
    if missing:
        raise AnnotationError(f"has no {missing[0]}", where=where)
    label = row.get("class", "").strip().lower()
    if label not in _CLASSES:
        known = ", ".join(kind.label.lower() for kind in CellClass)
        raise AnnotationError(
            f"has the class {row['class']!r}, not one of {known}", where=where, remedy="rename or remove it"
        )
    score = row.get("score", "").strip()
    records.add_point(
        row.get("image", points_stem(path)).strip(),
        row["x"],
        y=row["y"],
        score=parse_number(score, where) if score else 1.0,
        class_id=_CLASSES[label],
        where=where,
    )
