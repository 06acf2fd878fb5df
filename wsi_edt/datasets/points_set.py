"""Plain images with a CSV of points each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import shapely
from PIL import Image

from wsi_edt.datasets.folders import case_of, image_files, unreadable_image
from wsi_edt.datasets.labelled import ClassArray, PointArray, Record, as_points
from wsi_edt.datasets.pairing import by_stem, refuse_unpaired
from wsi_edt.datasets.points_io import read_points
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.classes import ClassNames
from wsi_edt.qupath.regions import Polygons, contains

_NO_NAMES = ClassNames()


def read_points_set(folder: Path, split: str, classes: ClassNames = _NO_NAMES) -> Iterator[Record]:
    """``images/NAME.*`` and ``points/NAME.csv``; the fields of one TCGA patient are one case.

    If there is a ``roi/NAME.png``, labels hold where it is white, and points outside don't count. An image without a CSV,
    and a CSV or a mask without an image, are errors.
    """
    del split  # there is one
    images, masks = by_stem(image_files(folder / "images")), by_stem(image_files(folder / "roi"))
    annotations = by_stem(_tables(folder / "points"))
    refuse_unpaired(images, annotations, folder=folder, masks=masks)
    for stem, path in images.items():
        annotation, mask = annotations[stem], masks.get(stem)
        points, class_id = points_of_csv(annotation, classes)
        region = None if mask is None else _region(mask, path)
        if mask is None or region is None:
            held = ((annotation, len(points)),)
            yield Record(path, case_of(path.stem), points, class_id, annotations=held)
        else:
            inside = contains(region, points[:, 0], points[:, 1])
            if len(points) and not inside.any():
                raise AnnotationError(
                    f"has {len(points)} points, but none where roi/{mask.name} is white",
                    where=annotation,
                    remedy="correct one of the two",
                )
            yield Record(path, case_of(path.stem), points[inside], class_id[inside], region=region)


def read_glioma(folder: Path, split: str) -> Iterator[Record]:
    """As `read_points_set`, for fields that are named CASE_NUMBER."""
    for record in read_points_set(folder, split):
        yield replace(record, case=record.path.stem.rpartition("_")[0] or record.path.stem)


def _tables(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix.lower() == ".csv":
            yield path


def _region(mask_file: Path, image_file: Path) -> Polygons | None:
    """The white px of an image's mask as an area in px; None if it is white all over.

    Raises
    ------
    AnnotationError
        If it can't be read, has no white px, or differs from the image in size.
    """
    mask = cv2.imread(str(mask_file), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise unreadable_image(mask_file)
    with Image.open(image_file) as image:
        if image.size != mask.shape[::-1]:
            width, height = image.size
            raise AnnotationError(
                f"has {mask.shape[1]}×{mask.shape[0]} px, but {image_file.name} has {width}×{height}",
                where=mask_file,
                remedy="make it again at that size",
            )
    if (mask > 127).all():
        return None
    white = np.pad(mask > 127, ((0, 0), (1, 1))).astype(np.int8)
    turns = np.diff(white, axis=1)
    (rows, starts), (_, ends) = np.nonzero(turns == 1), np.nonzero(turns == -1)
    if not len(rows):
        raise AnnotationError(
            "has no white px, so that no labels hold", where=mask_file, remedy="remove it, or the image"
        )
    area = shapely.union_all(shapely.box(starts, rows, ends, rows + 1))
    assert isinstance(area, Polygons), area
    return area


def points_of_csv(path: Path, classes: ClassNames = _NO_NAMES) -> tuple[PointArray, ClassArray]:
    """The points of one image: a header with x and y and perhaps class, as `wsi-edt evaluate` reads it too.

    A file in which every coordinate is a whole number holds pixel indices. A header alone means that there are none.
    """
    found = read_points(path, classes=classes)
    if len(found) > 1:
        raise AnnotationError(
            f"holds points of {len(found)} images", where=path, remedy="give each image its own file"
        )
    points = [np.column_stack([cells.x, cells.y]) for cells in found.values()]
    class_id = [cells.class_id for cells in found.values()]
    return as_points(points[0] if points else []), class_id[0] if class_id else np.zeros(0, np.uint8)
