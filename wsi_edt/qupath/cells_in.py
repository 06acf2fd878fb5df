"""Cells from GeoJSON as QuPath writes and reads it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from shapely.errors import ShapelyError
from shapely.geometry import shape

from wsi_edt.cells import CellClass, Cells
from wsi_edt.errors import AnnotationError

_CLASSES = {kind.label.lower(): kind for kind in CellClass}
# What QuPath calls objects that stand for a cell each, whatever their geometry.
_CELL_OBJECTS = ("detection", "cell")


def parse_geojson(content: bytes, path: Path) -> Cells:
    """The cells of a GeoJSON file.

    Detections and cells count with any geometry, polygons by their centroid (a cell's by its nucleus); annotations
    only as Point or MultiPoint, since an annotation with an area is a region. Coordinates are continuous px. The
    class is `classification.name`; its last part counts for "Tumor: Positive"; none is `CellClass.NUCLEUS`. The
    score is the measurement "Score", or 1.

    Parameters
    ----------
    content : a FeatureCollection, a list of features or one feature
    path : names the file in errors
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise AnnotationError(f"{path} is no GeoJSON: {error}") from error
    rows = [
        row
        for index, feature in enumerate(_features(document, path), start=1)
        for row in _cells(feature, index, path)
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    x, y = (np.ascontiguousarray(table[:, column]) for column in (0, 1))
    return Cells(x, y, table[:, 2].astype(np.float32), table[:, 3].astype(np.uint8))


def _features(document: Any, path: Path) -> list[Any]:  # noqa: ANN401 - whatever JSON holds
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        document = document.get("features")
    elif isinstance(document, dict) and document.get("type") == "Feature":
        document = [document]
    if not isinstance(document, list):
        raise AnnotationError(
            f"{path} holds no features; a FeatureCollection, as QuPath exports it, is needed"
        )
    return document


def _cells(feature: object, index: int, path: Path) -> Iterator[tuple[float, float, float, int]]:
    """(x, y, score, class) of each cell that one feature holds."""
    if not isinstance(feature, dict):
        raise AnnotationError(f"{path}, feature {index}: no feature but {type(feature).__name__}")
    properties = feature.get("properties") or {}
    geometry = feature.get("nucleusGeometry") or feature.get("geometry") or {}
    if not (isinstance(properties, dict) and isinstance(geometry, dict)):
        raise AnnotationError(f"{path}, feature {index}: its properties or its geometry are no JSON object")
    kind = geometry.get("type")
    is_cell = properties.get("objectType", "annotation") in _CELL_OBJECTS
    if not is_cell and kind not in ("Point", "MultiPoint"):
        return
    class_id = int(_class(properties, index, path))
    score = _score(properties)
    try:
        for x, y in _positions(geometry):
            if not (math.isfinite(x) and math.isfinite(y)):
                raise ValueError("a coordinate that is not finite")
            yield x, y, score, class_id
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ShapelyError) as error:
        raise AnnotationError(f"{path}, feature {index}: the {kind} can't be read: {error}") from error


def _positions(geometry: Mapping[str, Any]) -> list[tuple[float, float]]:
    """The points that stand for a geometry."""
    if geometry["type"] == "Point":
        return [(float(geometry["coordinates"][0]), float(geometry["coordinates"][1]))]
    if geometry["type"] == "MultiPoint":
        return [(float(position[0]), float(position[1])) for position in geometry["coordinates"]]
    centroid = shape(geometry).centroid
    return [(centroid.x, centroid.y)]


def _class(properties: Mapping[str, Any], index: int, path: Path) -> CellClass:
    classification = properties.get("classification")
    if not classification:
        return CellClass.NUCLEUS
    name = classification
    if isinstance(classification, dict):
        # A class derived from another is written as "name": "Tumor: Positive" or "names": ["Tumor", "Positive"].
        names = classification.get("names")
        name = classification.get("name") or (names[-1] if isinstance(names, list) and names else "")
    label = str(name).rsplit(":", 1)[-1].strip().lower()
    if label not in _CLASSES:
        known = ", ".join(kind.label for kind in CellClass)
        raise AnnotationError(
            f"{path}, feature {index}: class {name!r} is none of {known}; rename or remove it"
        )
    return _CLASSES[label]


def _score(properties: Mapping[str, Any]) -> float:
    """The measurement "Score" in whatever case, 1 where there is none (an annotation is certain)."""
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
