"""Plain images with a CSV of points each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from wsi_edt.errors import AnnotationError
from wsi_edt.evaluation import read_points
from wsi_edt.training.datasets.folders import case_of, image_files
from wsi_edt.training.datasets.labelled import ClassArray, PointArray, Record, as_points


def read_points_set(folder: Path, split: str) -> Iterator[Record]:
    """``images/NAME.*`` and ``points/NAME.csv``; the fields of one TCGA patient are one case."""
    del split  # there is one
    for path in image_files(folder / "images"):
        annotation = folder / "points" / f"{path.stem}.csv"
        points, class_id = points_of_csv(annotation)
        yield Record(path, case_of(path.stem), points, class_id, annotations=((annotation, len(points)),))


def read_glioma(folder: Path, split: str) -> Iterator[Record]:
    """As `read_points_set`, of fields that are named CASE_NUMBER."""
    for record in read_points_set(folder, split):
        yield replace(record, case=record.path.stem.rpartition("_")[0] or record.path.stem)


def points_of_csv(path: Path) -> tuple[PointArray, ClassArray]:
    """The points of one image: a header with x and y and perhaps class, as `wsi-edt evaluate` reads it too.

    A file in which every coordinate is a whole number holds pixel indices. The header alone says that there is nothing.
    """
    found = read_points(path)
    if len(found) > 1:
        raise AnnotationError(f"{path} holds points of {len(found)} images; give each image its own file")
    points = [np.column_stack([cells.x, cells.y]) for cells in found.values()]
    class_id = [cells.class_id for cells in found.values()]
    return as_points(points[0] if points else []), class_id[0] if class_id else np.zeros(0, np.uint8)
