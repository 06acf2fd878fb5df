"""Cells from GeoJSON as QuPath writes it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.dialect import CELL, DETECTION, UNREADABLE_SHAPE, Feature, shape_of, unreadable_shape

_CLASSES = {kind.label.lower(): kind for kind in CellClass}


def cells_of(features: Iterable[Feature], *, corner: tuple[float, float] = (0.0, 0.0)) -> Cells:
    """The cells among the features of a file, in the file's order.

    Detections and cells count with any geometry, polygons by their centroid (a cell's by its nucleus); annotations
    only as Point or MultiPoint, since an annotation with an area is a region. Coordinates are continuous px. The
    class is the last part of the feature's, so that "Tumor: Positive" is Positive; without one it is
    `CellClass.NUCLEUS`. The score is the measurement "Score", or 1.

    Parameters
    ----------
    features : of the file
    corner : what is added to the coordinates, see `shown_corner`

    Raises
    ------
    AnnotationError
        If a cell can't be read or has a class that isn't known; it names the feature.
    """
    rows = [row for feature in features for row in _cells(feature)]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    x, y = (table[:, column] + start for column, start in enumerate(corner))
    return Cells(x, y, table[:, 2].astype(np.float32), table[:, 3].astype(np.uint8))


def _cells(feature: Feature) -> Iterator[tuple[float, float, float, int]]:
    """(x, y, score, class) of each cell that one feature holds."""
    geometry = feature.nucleus or feature.geometry
    is_cell = feature.object_type in (DETECTION, CELL)
    if not is_cell and geometry.get("type") not in ("Point", "MultiPoint"):
        return
    class_id = int(_class(feature))
    score = _score(feature.properties)
    for x, y in _positions(geometry, feature.where):
        yield x, y, score, class_id


def _positions(geometry: Mapping[str, Any], where: str) -> list[tuple[float, float]]:
    """The points that stand for a geometry."""
    try:
        if geometry.get("type") == "Point":
            places = [geometry["coordinates"]]
        elif geometry.get("type") == "MultiPoint":
            places = geometry["coordinates"]
        else:
            places = [shape_of(geometry, where).centroid.coords[0]]
        found = [(float(place[0]), float(place[1])) for place in places]
        if not all(map(math.isfinite, (number for place in found for number in place))):
            raise ValueError("a coordinate that isn't finite")
    except UNREADABLE_SHAPE as error:
        raise unreadable_shape(geometry, where, error) from error
    return found


def _class(feature: Feature) -> CellClass:
    if feature.class_name is None:
        return CellClass.NUCLEUS
    label = feature.class_name.rsplit(":", 1)[-1].strip().lower()
    if label not in _CLASSES:
        known = ", ".join(kind.label for kind in CellClass)
        raise AnnotationError(
            f"has the class {feature.class_name!r}, which isn't one of {known}",
            where=feature.where,
            remedy="rename or remove it",
        )
    return _CLASSES[label]


def _score(properties: Mapping[str, Any]) -> float:
    """The measurement "Score", in upper or lower case; 1 if there is none (an annotation is certain)."""
    measurements = properties.get("measurements") or {}
    if isinstance(measurements, dict):
        named = measurements.items()
    else:  # older files have a list of {"name": ..., "value": ...}
        entries = measurements if isinstance(measurements, list) else []
        named = {
            entry.get("name"): entry.get("value") for entry in entries if isinstance(entry, dict)
        }.items()
    values = (value for name, value in named if str(name).lower() == "score")
    return next((float(value) for value in values if isinstance(value, int | float)), 1.0)
