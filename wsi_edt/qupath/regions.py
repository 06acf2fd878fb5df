"""Regions of interest: GeoJSON as QuPath writes it, as polygons in level-0 px, and what lies in them.

A region is an annotation with an area. QuPath shows a slide cropped to its bounds, so its coordinates lack them.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
import shapely
import shapely.affinity
import shapely.geometry
from shapely import MultiPolygon, Polygon
from shapely.errors import ShapelyError

from wsi_edt.errors import AnnotationError
from wsi_edt.geometry import Window

Origin = Literal["qupath", "openslide"]
Area: TypeAlias = Polygon | MultiPolygon
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

_AREAS = ("Polygon", "MultiPolygon", "GeometryCollection")
_ELLIPSE_QUARTER_SEGMENTS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """An annotated area of a slide.

    Attributes
    ----------
    name : the annotation's own, else its class, else its index in the file, from 0
    polygon : valid, with an area, level-0 px
    class_name : as QuPath shows it ("Tumor", "Tumor: Positive"); None without a class
    properties : of the feature, as they stand in the file
    """

    name: str
    polygon: Area
    class_name: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ignored(self) -> bool:
        """Whether it says where not to look: QuPath's class "Ignore*"."""
        return self.class_name is not None and self.class_name.lower().startswith("ignore")

    def contains(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """For each point (x, y) in level-0 px, whether it lies in the region or on its edge: (N,) bool."""
        return contains(self.polygon, x, y)

    def intersects(self, windows: Sequence[Window]) -> BoolArray:
        """For each window in level-0 px, whether it holds some of the region: (N,) bool."""
        boxes = shapely.box(
            [window.x for window in windows],
            [window.y for window in windows],
            [window.right for window in windows],
            [window.bottom for window in windows],
        )
        shapely.prepare(self.polygon)
        # A window that only shares an edge with the region holds none of it.
        found: BoolArray = shapely.intersects(self.polygon, boxes) & ~shapely.touches(self.polygon, boxes)
        return found


def read_regions(path: Path, *, origin: Origin = "qupath", bounds: Window | None = None) -> list[Region]:
    """The areas of a GeoJSON file (``.geojson`` or ``.geojson.gz``), in the file's order; see `regions_of`."""
    return regions_of(features_of(read_geojson(path), path), path, origin=origin, bounds=bounds)


def read_geojson(path: Path) -> bytes:
    """A GeoJSON file's text, unpacked where its name ends in ``.gz``.

    Raises
    ------
    AnnotationError
        Where it is missing or can't be read.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix.lower() == ".gz" else content
    except (OSError, EOFError) as error:
        raise AnnotationError(f"{path} can't be read: {error}; check the path and the file") from error


def features_of(content: bytes, path: Path) -> list[Any]:
    """The features of GeoJSON text: a FeatureCollection, a list of features, or one feature.

    Raises
    ------
    AnnotationError
        Where it is no JSON or holds no features; `path` names the file.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise AnnotationError(f"{path} is no GeoJSON: {error}") from error
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        document = document.get("features")
    elif isinstance(document, dict) and document.get("type") == "Feature":
        document = [document]
    if not isinstance(document, list):
        raise AnnotationError(
            f"{path} holds no features; a FeatureCollection, as QuPath exports it, is needed"
        )
    return document


def regions_of(
    features: Sequence[Any], path: Path, *, origin: Origin = "qupath", bounds: Window | None = None
) -> list[Region]:
    """The annotations with an area among features, in level-0 px.

    Detections, cells, points and lines are no regions. A self-intersecting outline is made valid.

    Parameters
    ----------
    features : of a GeoJSON file
    path : names the file in errors
    origin : "qupath" coordinates start at the slide's bounds, "openslide" ones at level 0's corner
    bounds : what QuPath shows of the slide, level-0 px (`Slide.bounds`); None: all of it

    Raises
    ------
    AnnotationError
        Where an annotation has no area or can't be read; it names the file and the feature.
    """
    shift = (bounds.x, bounds.y) if origin == "qupath" and bounds is not None else (0, 0)
    found = []
    for index, feature in enumerate(features, start=1):
        where = f"{path}, feature {index}"
        if not isinstance(feature, dict):
            raise AnnotationError(f"{where}: no feature but {type(feature).__name__}")
        properties, geometry = feature.get("properties") or {}, feature.get("geometry") or {}
        if not (isinstance(properties, dict) and isinstance(geometry, dict)):
            raise AnnotationError(f"{where}: its properties or its geometry are no JSON object")
        # QuPath takes an object without a type for an annotation.
        is_annotation = properties.get("objectType", "annotation") == "annotation"
        if not (is_annotation and geometry.get("type") in _AREAS):
            continue
        polygon = shapely.affinity.translate(_area(geometry, where), *shift)
        class_name = class_name_of(properties)
        name = properties.get("name") or class_name or str(index)
        found.append(Region(str(name), polygon, class_name, properties))
    return found


def class_name_of(properties: Mapping[str, Any]) -> str | None:
    """The class of a feature as QuPath shows it, such as "Positive" or "Tumor: Positive"; None without one.

    QuPath writes a derived class as ``"name": "Tumor: Positive"`` or ``"names": ["Tumor", "Positive"]``.
    """
    classification = properties.get("classification")
    if isinstance(classification, dict):
        names = classification.get("names")
        joined = ": ".join(map(str, names)) if isinstance(names, list) else ""
        classification = classification.get("name") or joined
    return str(classification) if classification else None


def contains(polygon: Area, x: FloatArray, y: FloatArray) -> BoolArray:
    """For each point (x, y), whether it lies in the polygon or on its edge, in its frame: (N,) bool."""
    shapely.prepare(polygon)
    return np.asarray(shapely.intersects_xy(polygon, x, y), dtype=np.bool_)


def polygons_of(shape: shapely.Geometry) -> Area | None:
    """A geometry without the lines and points that cutting and mending leave; None where nothing has an area."""
    polygons: Area
    if isinstance(shape, Area):
        polygons = shape
    else:
        polygons = shapely.unary_union([part for part in shapely.get_parts(shape) if part.area > 0])
    return None if polygons.area == 0 else polygons


def grid_mask(polygon: Area, x: FloatArray, y: FloatArray) -> BoolArray:
    """Which points of a grid lie in a polygon: (len(y), len(x)) bool.

    A px's value depends on its own coordinates alone, so that the mask of a crop is the crop of the mask.

    Parameters
    ----------
    polygon : valid
    x, y : ascending coordinates of the grid's columns and rows, in the polygon's frame
    """
    # Each edge of the outline that a row crosses turns inside into outside from there to the right. Testing the points
    # one by one takes some 40 ms for 256 × 256 px and an outline of 120 points, this 1 ms.
    starts, ends = _edges(polygon)
    turned = starts[:, 1] > ends[:, 1]
    lower, upper = np.where(turned[:, None], ends, starts), np.where(turned[:, None], starts, ends)
    first, last = np.searchsorted(y, lower[:, 1]), np.searchsorted(y, upper[:, 1])
    rows_each = last - first
    edge = np.repeat(np.arange(len(lower)), rows_each)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(rows_each) - rows_each, rows_each) + first[edge]
    slope = (upper[edge, 0] - lower[edge, 0]) / (upper[edge, 1] - lower[edge, 1])
    column = np.searchsorted(x, lower[edge, 0] + (y[row] - lower[edge, 1]) * slope)
    crossings = np.zeros((len(y), len(x) + 1), np.int32)
    np.add.at(crossings, (row, column), 1)
    inside: BoolArray = np.cumsum(crossings[:, :-1], axis=1) % 2 == 1
    return inside


def _edges(polygon: Area) -> tuple[FloatArray, FloatArray]:
    """The (x, y) of all edges' starts and ends, holes' too: two (N, 2) arrays."""
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(polygon))]
    return np.concatenate([ring[:-1] for ring in rings]), np.concatenate([ring[1:] for ring in rings])


def _area(geometry: Mapping[str, Any], where: str) -> Area:
    """A feature's geometry as valid polygons."""
    try:
        shape = shapely.force_2d(shapely.geometry.shape(geometry))
        if not shapely.is_valid(shape):
            shape = shapely.make_valid(shape)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ShapelyError) as error:
        raise AnnotationError(f"{where}: the {geometry['type']} can't be read: {error}") from error
    if geometry.get("isEllipse"):
        shape = _ellipse(shape)
    polygons = polygons_of(shape)
    if polygons is None:
        raise AnnotationError(f"{where}: the {geometry['type']} has no area; draw it again or remove it")
    return polygons


def _ellipse(shape: shapely.Geometry) -> Polygon:
    """The ellipse that QuPath draws into the box of a geometry with ``"isEllipse": true``."""
    left, top, right, bottom = shape.bounds
    circle = shapely.Point(0, 0).buffer(1, quad_segs=_ELLIPSE_QUARTER_SEGMENTS)
    scaled = shapely.affinity.scale(circle, (right - left) / 2, (bottom - top) / 2, origin=(0, 0))
    return shapely.affinity.translate(scaled, (left + right) / 2, (top + bottom) / 2)
