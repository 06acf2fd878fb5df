"""Cells from GeoJSON as QuPath writes it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wsi_edt.cells import Cells
from wsi_edt.qupath.class_property import find_class_property
from wsi_edt.qupath.classes import ClassNames, UnknownClasses
from wsi_edt.qupath.dialect import (
    ANNOTATION,
    CELL,
    DETECTION,
    LINES,
    NO_PLACE,
    UNREADABLE_SHAPE,
    Feature,
    shape_of,
    unreadable_shape,
)

_NO_NAMES = ClassNames()

_LARGEST = float(np.finfo(np.float32).max)  # of a score


@dataclass(frozen=True, slots=True, eq=False)
class CellsFound:
    """The cells of a file, and what else it holds.

    Attributes
    ----------
    cells : in the file's order
    passed_over : how many of what aren't cells, by what they are, for `passed_over.in_words`
    unclassed : how many of the cells have no class
    ids : of each cell; "" for one without, and for points of an annotation, which have one together
    ignored : the ids of those of a class to ignore
    """

    cells: Cells
    passed_over: Counter[str]
    unclassed: int
    ids: tuple[str, ...]
    ignored: frozenset[str]


def find_cells(
    features: Iterable[Feature],
    *,
    corner: tuple[float, float] = (0.0, 0.0),
    classes: ClassNames = _NO_NAMES,
) -> CellsFound:
    """The cells among the features of a file, in the file's order.

    Detections and cells count with any geometry, polygons by their centroid (a cell's by its nucleus); annotations
    only as Point or MultiPoint, since an annotation with an area is a region. Coordinates are continuous px. The
    class is the last part of the feature's, so that "Tumor: Positive" is Positive; if no cell has one, a property may tell
    it, see `find_class_property`. Without one it is `CellClass.NUCLEUS`. The score is the measurement "Score", or 1.

    Parameters
    ----------
    features : of the file
    corner : what is added to the coordinates, see `shown_corner`
    classes : what other names of classes stand for

    Raises
    ------
    AnnotationError
        If a cell can't be read (it names the feature), or has a class that isn't known (it names all such classes).
    """
    rows: list[tuple[float, float, float, int]] = []
    passed_over: Counter[str] = Counter()
    unknown = UnknownClasses()
    marked: list[Feature] = []
    for feature in features:
        other = _not_a_cell(feature)
        if other is None:
            marked.append(feature)
        else:
            passed_over[other] += 1
    named = find_class_property(marked, classes)
    unclassed, ids, ignored = 0, list[str](), set[str]()
    for feature in marked:
        name_of_cell = "" if feature.object_type == ANNOTATION else str(feature.id or "")
        name = feature.class_name if named is None else _text(feature.properties.get(named))
        try:
            kind = classes.meaning(name)
        except KeyError:
            unknown.add(str(name), feature.where)
            continue
        if kind is None:
            passed_over["cell of a class to ignore"] += 1
            ignored.add(name_of_cell)
            continue
        score = _score(feature.properties)
        places = _positions(feature.nucleus or feature.geometry, feature.where)
        if not places:
            passed_over[NO_PLACE] += 1
        rows.extend((x, y, score, int(kind)) for x, y in places)
        ids.extend([name_of_cell] * len(places))
        unclassed += 0 if name else len(places)
    unknown.refuse()
    return CellsFound(_cells(rows, corner), passed_over, unclassed, tuple(ids), frozenset(ignored))


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def cells_of(features: Iterable[Feature], *, corner: tuple[float, float] = (0.0, 0.0)) -> Cells:
    """The cells among the features of a file; see `find_cells`."""
    return find_cells(features, corner=corner).cells


def _cells(rows: list[tuple[float, float, float, int]], corner: tuple[float, float]) -> Cells:
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    x, y = (table[:, column] + start for column, start in enumerate(corner))
    return Cells(x, y, table[:, 2].astype(np.float32), table[:, 3].astype(np.uint8))


def _not_a_cell(feature: Feature) -> str | None:
    """What a feature is if it is no cell."""
    kind = feature.object_type
    is_cell = kind in (DETECTION, CELL)
    if not is_cell and kind != ANNOTATION:
        return f"object of type {kind}"
    if feature.is_empty:
        return NO_PLACE
    form = (feature.nucleus or feature.geometry).get("type")
    if is_cell or form in ("Point", "MultiPoint"):
        return None
    return "line" if form in LINES else "annotation with an area"


def _positions(geometry: Mapping[str, Any], where: str) -> list[tuple[float, float]]:
    """The points that stand for a geometry; none for an empty one."""
    try:
        if geometry.get("type") == "Point":
            places = [geometry["coordinates"]]
        elif geometry.get("type") == "MultiPoint":
            places = geometry["coordinates"]
        else:
            places = list(shape_of(geometry, where).centroid.coords)
        found = [(float(place[0]), float(place[1])) for place in places]
        if not all(map(math.isfinite, (number for place in found for number in place))):
            raise ValueError("a coordinate that isn't finite")
    except UNREADABLE_SHAPE as error:
        raise unreadable_shape(geometry, where, error) from error
    return found


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
    return next((float(value) for value in values if _is_score(value)), 1.0)


def _is_score(value: object) -> bool:
    # JSON's whole numbers may be too large for a float; NaN is between no two.
    return isinstance(value, int | float) and -_LARGEST < value < _LARGEST
