"""Sets of Ki-67 immunohistochemistry as they are distributed: BCData and SHIDC-B-Ki-67."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from wsi_edt.cells import CellClass
from wsi_edt.datasets.folders import split_folder
from wsi_edt.datasets.labelled import ClassArray, PointArray, Record, from_indices
from wsi_edt.datasets.pairing import warn_of_leftover
from wsi_edt.errors import AnnotationError

SHIDC_CLASSES = {
    1: CellClass.POSITIVE,
    2: CellClass.NEGATIVE,
    3: CellClass.NUCLEUS,  # tumour-infiltrating lymphocyte
}


def read_bcdata(folder: Path, split: str) -> Iterator[Record]:
    """BCData: ``images/SPLIT/K.png`` and ``annotations/SPLIT/{positive,negative}/K.h5``.

    Each .h5 file has one array `coordinates`, (N, 2) integer px indices (x, y).
    """
    images, annotations = sorted((folder / "images" / split).glob("*.png")), folder / "annotations" / split
    warn_of_leftover(folder, annotations.glob("*/*.h5"), images)
    for path in images:
        files = [annotations / name / f"{path.stem}.h5" for name in ("positive", "negative")]
        positive, negative = points = [_bcdata_points(file) for file in files]
        classes = np.repeat([CellClass.POSITIVE, CellClass.NEGATIVE], [len(positive), len(negative)])
        # The splits number their images each from 0.
        case = f"{split}/{path.stem}"
        held = tuple((file, len(own)) for file, own in zip(files, points, strict=True))
        yield Record(path, case, np.concatenate(points), classes.astype(np.uint8), annotations=held)


def _bcdata_points(annotation: Path) -> PointArray:
    if not annotation.is_file():
        raise AnnotationError(
            "is missing: each image has one, without coordinates if it has no such cell", where=annotation
        )
    try:
        with h5py.File(annotation) as file:
            return from_indices(file["coordinates"][()])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise AnnotationError(f"can't be read as BCData points: {error}", where=annotation) from error


def read_shidc(folder: Path, split: str) -> Iterator[Record]:
    """SHIDC-B-Ki-67: ``SPLIT/NAME.jpg`` and ``SPLIT/NAME.json``, a list of {x, y, label_id} with px indices.

    The distribution's folders are Train and Test. The number in ``p1_0299_10`` is the case: p1 and p2 share it.
    """
    subfolder = split_folder(folder, split)
    if subfolder is None:
        return
    images = sorted(subfolder.glob("*.jpg"))
    warn_of_leftover(subfolder, subfolder.glob("*.json"), images)
    for path in images:
        annotation = path.with_suffix(".json")
        points, class_id = _shidc_points(annotation)
        parts = path.stem.split("_")
        case = parts[1] if len(parts) == 3 else path.stem
        yield Record(path, case, points, class_id, annotations=((annotation, len(points)),))


def _shidc_points(annotation: Path) -> tuple[PointArray, ClassArray]:
    try:
        records = json.loads(annotation.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AnnotationError(f"can't be read as SHIDC points: {error}", where=annotation) from error
    if not isinstance(records, list):
        raise AnnotationError(f"holds {type(records).__name__} instead of a list of points", where=annotation)
    indices, classes = [], []
    for number, record in enumerate(records, start=1):
        try:
            indices.append((float(record["x"]), float(record["y"])))
            classes.append(SHIDC_CLASSES[record["label_id"]])
        except (KeyError, TypeError, ValueError) as error:
            raise AnnotationError(
                f"is {json.dumps(record)}, which isn't a point",
                where=f"{annotation}, point {number}",
                remedy="give x, y and a label_id of 1, 2 or 3",
            ) from error
    return from_indices(indices), np.array(classes, np.uint8)
