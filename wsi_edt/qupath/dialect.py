"""QuPath's dialect of GeoJSON: the words, colours, shapes and coordinates that writing and reading share.

Read from the source of QuPath 0.8 (package qupath.lib.io), and for older files from that of 0.2:

- an object without `objectType` is an annotation, and a class without a colour is refused;
- a class derived from another is written as ``"name": "Tumor: Positive"`` or as ``"names": ["Tumor", "Positive"]``;
- ``"isEllipse": true`` in a geometry means the ellipse in its box;
- a slide is shown cropped to its bounds, so coordinates start there;
- 0.2 wrote what an object is into its `id` ("PathDetectionObject"), and measurements as a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeGuard

import orjson
import shapely
import shapely.affinity
import shapely.geometry
from shapely.errors import ShapelyError

from wsi_edt.cells import CellClass
from wsi_edt.errors import AnnotationError, readable
from wsi_edt.geometry import Window

Geometry = Literal["point", "circle"]  # what a cell is written as
Origin = Literal[
    "qupath", "openslide"
]  # where coordinates start: at the slide's bounds, or at level 0's corner

ANNOTATION: Final = "annotation"
DETECTION: Final = "detection"
CELL: Final = "cell"

# What QuPath 0.2 wrote as an object's id.
_IDS_OF_0_2: Final = {
    "PathAnnotationObject": ANNOTATION,
    "PathDetectionObject": DETECTION,
    "PathCellObject": CELL,
    "PathTileObject": "tile",
    "TMACoreObject": "tmaCore",
    "PathRootObject": "root",
}

# QuPath's own colours of Positive and Negative; nuclei without a class get a green, unlike either.
CLASS_COLORS: Final = {
    CellClass.NEGATIVE: (112, 112, 225),
    CellClass.POSITIVE: (250, 62, 62),
    CellClass.NUCLEUS: (70, 165, 95),
}

# Where a geometry keeps its places.
_COORDINATES: Final = dict.fromkeys(
    ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"), "coordinates"
) | {"GeometryCollection": "geometries"}

LINES: Final = ("LineString", "MultiLineString")
NO_PLACE: Final = "shape without a place"

# What an unreadable geometry makes shapely, or whoever takes its coordinates, raise.
UNREADABLE_SHAPE: Final = (
    TypeError,
    ValueError,
    OverflowError,
    KeyError,
    IndexError,
    AttributeError,
    RecursionError,
    ShapelyError,
)
_ELLIPSE_QUARTER_SEGMENTS = 32


def shown_corner(bounds: Window, origin: Origin = "qupath") -> tuple[float, float]:
    """The level-0 point (x, y) at which a file's coordinates start: subtracted when writing, added when reading.

    Parameters
    ----------
    bounds : what QuPath shows of the slide, level-0 px (`Slide.bounds`)
    origin : "openslide" keeps level-0 coordinates
    """
    return (float(bounds.x), float(bounds.y)) if origin == "qupath" else (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Feature:
    """One object of a GeoJSON file.

    Attributes
    ----------
    number : in the file, from 1
    where : the file and the number, for errors
    geometry, nucleus : as they stand in the file; empty if it has none
    properties : as they stand in the file
    id : as it stands in the file
    """

    number: int
    where: str
    geometry: Mapping[str, Any]
    nucleus: Mapping[str, Any]
    properties: Mapping[str, Any]
    id: object = None

    @property
    def named(self) -> str:
        """Where it stands, with its name if it has one: by that a reader finds it in QuPath."""
        name = self.properties.get("name")
        return f"{self.where} ({readable(str(name))!r})" if name else self.where

    @property
    def object_type(self) -> str:
        """What QuPath takes it for: "annotation", "detection", "cell" and others."""
        return str(self.properties.get("objectType") or _IDS_OF_0_2.get(str(self.id), ANNOTATION))

    @property
    def is_empty(self) -> bool:
        """Whether it has no place: no geometry, or one without coordinates."""
        geometry = self.nucleus or self.geometry
        places = _COORDINATES.get(str(geometry.get("type", "Point")))
        return places is not None and not geometry.get(places)

    @property
    def class_name(self) -> str | None:
        """The class as QuPath shows it, such as "Positive" or "Tumor: Positive"; None without one."""
        classification = self.properties.get("classification")
        if isinstance(classification, dict):
            names = classification.get("names")
            joined = ": ".join(map(str, names)) if isinstance(names, list) else ""
            classification = classification.get("name") or joined
        return str(classification) if classification else None


def geojson_features(document: object, path: Path) -> list[Feature]:
    """The features of GeoJSON: a FeatureCollection, one feature, a bare geometry, or lists of these, nested or not.

    Parameters
    ----------
    document : as `parsed_json` returns it
    path : names the file in errors

    Raises
    ------
    AnnotationError
        If it has no features, or one of them isn't a feature.
    """
    return [_feature(entry, number, path) for number, entry in enumerate(_entries(document, path), start=1)]


def _entries(document: object, path: Path) -> Iterator[object]:
    """What may be features, in the file's order."""
    if not isinstance(document, list) and not _is_geojson(document):
        raise AnnotationError(
            "has no features", where=path, remedy="export a FeatureCollection, as QuPath writes it"
        )
    waiting = [iter([document])]
    while waiting:
        for entry in waiting[-1]:
            inner = entry.get("features") if _is_geojson(entry, "FeatureCollection") else entry
            if isinstance(inner, list):
                waiting.append(iter(inner))
                break
            if isinstance(inner, dict) and inner.get("type") in _COORDINATES:
                inner = {"type": "Feature", "geometry": inner}
            yield inner
        else:
            waiting.pop()


def _is_geojson(document: Any, *kinds: str) -> TypeGuard[dict[str, Any]]:  # noqa: ANN401 - whatever JSON holds
    known = kinds or ("FeatureCollection", "Feature", *_COORDINATES)
    return isinstance(document, dict) and document.get("type") in known


def parsed_json(content: bytes, path: Path) -> object:
    """What JSON says, strict or not.

    QuPath writes measurements that aren't numbers as bare NaN and Infinity, which JSON doesn't know; other programs write
    UTF-16, or begin with a byte order mark. All of it is read.

    Parameters
    ----------
    content : of the file, not compressed
    path : names it in errors

    Raises
    ------
    AnnotationError
        If it isn't JSON.
    """
    try:
        return orjson.loads(content)  # four times as fast as json, and strict
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(content)
    except RecursionError as error:
        raise AnnotationError(
            "isn't GeoJSON: it is nested too deeply", where=path, remedy="export it again"
        ) from error
    except ValueError as error:
        raise AnnotationError(f"isn't GeoJSON: {error}", where=path, remedy="export it again") from error


def _feature(entry: object, number: int, path: Path) -> Feature:
    where = f"{path}, feature {number}"
    if not isinstance(entry, dict):
        raise AnnotationError("isn't an object, as GeoJSON's features are", where=where)
    if "type" in entry and entry["type"] != "Feature":
        raise AnnotationError(
            f"is a {entry['type']}, not a GeoJSON feature",
            where=where,
            remedy="export GeoJSON, as QuPath writes it",
        )
    properties, geometry, nucleus = (
        entry.get(key) or {} for key in ("properties", "geometry", "nucleusGeometry")
    )
    if not (isinstance(properties, dict) and isinstance(geometry, dict) and isinstance(nucleus, dict)):
        raise AnnotationError("has properties or a geometry that isn't an object", where=where)
    return Feature(number, where, geometry, nucleus, properties, entry.get("id"))


def shape_of(geometry: Mapping[str, Any], where: str) -> shapely.Geometry:
    """A geometry as shapely's, an ellipse drawn out; it may be invalid.

    Raises
    ------
    AnnotationError
        If it can't be read; `where` names it.
    """
    try:
        shape = shapely.force_2d(shapely.geometry.shape(geometry))
        return _ellipse(shape) if geometry.get("isEllipse") else shape
    except UNREADABLE_SHAPE as error:
        raise unreadable_shape(geometry, where, error) from error


def unreadable_shape(geometry: Mapping[str, Any], where: str, error: Exception) -> AnnotationError:
    """The error for a feature whose geometry can't be read."""
    reason: object = error
    if isinstance(error, RecursionError):
        reason = "it is nested too deeply"
    elif (text := _no_number(geometry)) is not None:
        reason = f"{text!r} is no coordinate"
    return AnnotationError(
        f"has a {geometry.get('type', 'geometry')} that can't be read: {reason}", where=where
    )


def _no_number(geometry: Mapping[str, Any]) -> str | None:
    """The first of a geometry's coordinates that is a text; None if there is none."""
    waiting: list[object] = [geometry.get("coordinates")]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            return one
        if isinstance(one, list):
            waiting.extend(reversed(one))
    return None


def _ellipse(box: shapely.Geometry) -> shapely.Geometry:
    """The ellipse that QuPath draws into the box of a geometry."""
    if box.is_empty:
        return box
    left, top, right, bottom = box.bounds
    circle = shapely.Point(0, 0).buffer(1, quad_segs=_ELLIPSE_QUARTER_SEGMENTS)
    scaled = shapely.affinity.scale(circle, (right - left) / 2, (bottom - top) / 2, origin=(0, 0))
    return shapely.affinity.translate(scaled, (left + right) / 2, (top + bottom) / 2)
