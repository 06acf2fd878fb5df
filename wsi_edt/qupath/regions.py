"""Regions of interest: the annotations with an area in a GeoJSON file of QuPath, as polygons in level-0 px."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
import shapely.affinity
from shapely import MultiPolygon, Polygon

from wsi_edt.errors import AnnotationError, readable
from wsi_edt.qupath.dialect import ANNOTATION, CELL, DETECTION, LINES, NO_PLACE, Feature, shape_of

Polygons: TypeAlias = Polygon | MultiPolygon
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_MOST_CROSSINGS = 2_000  # of an outline with itself: mending 10,000 takes 14 s, 45,000 3 minutes
_EDGES_AT_ONCE = 64
_AREAS = ("Polygon", "MultiPolygon", "GeometryCollection")


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """An annotated area of a slide.

    Attributes
    ----------
    name : the annotation's own, else its class, else its number in the file, from 1
    polygon : valid, with an area, level-0 px
    class_name : as QuPath shows it ("Tumor", "Tumor: Positive"); None without a class
    """

    name: str
    polygon: Polygons
    class_name: str | None = None

    @property
    def ignored(self) -> bool:
        """Whether it says where not to look: QuPath's class "Ignore*"."""
        return self.class_name is not None and is_ignored_class(self.class_name)


def is_ignored_class(name: str) -> bool:
    """Whether a class of that name says where not to look."""
    return name.lower().startswith("ignore")


@dataclass(frozen=True, slots=True, eq=False)
class RegionsFound:
    """The regions of a file, and what else it holds.

    Attributes
    ----------
    regions : in the file's order
    passed_over : how many of what aren't regions, by what they are, for `passed_over.in_words`
    mended : the names of regions whose outline crossed itself, and was made valid
    """

    regions: list[Region]
    passed_over: Counter[str]
    mended: list[str]


def find_regions(features: Iterable[Feature], *, corner: tuple[float, float] = (0.0, 0.0)) -> RegionsFound:
    """The annotations with an area among the features of a file, in level-0 px and the file's order.

    Detections, cells, points, lines and empty shapes aren't regions. A self-intersecting outline is made valid.

    Parameters
    ----------
    features : of the file
    corner : what is added to the coordinates, see `shown_corner`

    Raises
    ------
    AnnotationError
        If an annotation has no area or can't be read; it names the feature.
    """
    found: list[Region] = []
    mended: list[str] = []
    passed_over: Counter[str] = Counter()
    for feature in features:
        shape = None
        other = _not_a_region(feature)
        if other is None:
            shape = shape_of(feature.geometry, feature.named)
            other = NO_PLACE if shape.is_empty else None
        if shape is None or other is not None:
            passed_over[str(other)] += 1
            continue
        polygon = shapely.affinity.translate(_area(shape, feature), *corner)
        name = readable(str(feature.properties.get("name") or feature.class_name or feature.number))
        found.append(Region(name, polygon, feature.class_name))
        if not shapely.is_valid(shape):
            mended.append(name)
    return RegionsFound(found, passed_over, mended)


def regions_of(features: Iterable[Feature], *, corner: tuple[float, float] = (0.0, 0.0)) -> list[Region]:
    """The annotations with an area among the features of a file; see `find_regions`."""
    return find_regions(features, corner=corner).regions


def contains(polygon: Polygons, x: FloatArray, y: FloatArray) -> BoolArray:
    """For each point (x, y), whether it lies in the polygon or on its edge, in its frame: (N,) bool."""
    shapely.prepare(polygon)
    return np.asarray(shapely.intersects_xy(polygon, x, y), dtype=np.bool_)


def polygons_of(shape: shapely.Geometry) -> Polygons | None:
    """A geometry without the lines and points that cutting and mending leave; None if nothing has an area."""
    polygons: Polygons
    if isinstance(shape, Polygons):
        polygons = shape
    else:
        polygons = shapely.unary_union([part for part in shapely.get_parts(shape) if part.area > 0])
    return None if polygons.area == 0 else polygons


def grid_mask(polygon: Polygons, x: FloatArray, y: FloatArray) -> BoolArray:
    """Which points of a grid lie in a polygon: (len(y), len(x)) bool.

    A px's value depends on its own coordinates alone, so that the mask of a crop is the crop of the mask.

    Parameters
    ----------
    polygon : valid
    x, y : ascending coordinates of the grid's columns and rows, in the polygon's frame
    """
    row, column, _ = row_crossings(polygon, x, y)
    crossings = np.zeros((len(y), len(x) + 1), np.int32)
    np.add.at(crossings, (row, column), 1)
    inside: BoolArray = np.cumsum(crossings[:, :-1], axis=1) % 2 == 1
    return inside


def row_crossings(polygon: Polygons, x: FloatArray, y: FloatArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Where a polygon's outline crosses the rows of a grid, in no order: three (N,) arrays.

    Each edge that a row crosses turns inside into outside, or the other way, from there to the right. Testing the points of
    a grid one by one takes some 40 ms for 256 × 256 px and an outline of 120 points, this 1 ms.

    Parameters
    ----------
    polygon, x, y : see `grid_mask`

    Returns
    -------
    The row; the first column to the right, `len(x)` if there is none; whether the outline goes up there (y falls).
    """
    starts, ends = _edges(polygon)
    rises = starts[:, 1] > ends[:, 1]
    lower, upper = np.where(rises[:, None], ends, starts), np.where(rises[:, None], starts, ends)
    first, last = np.searchsorted(y, lower[:, 1]), np.searchsorted(y, upper[:, 1])
    rows_each = last - first
    edge = np.repeat(np.arange(len(lower)), rows_each)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(rows_each) - rows_each, rows_each) + first[edge]
    slope = (upper[edge, 0] - lower[edge, 0]) / (upper[edge, 1] - lower[edge, 1])
    column = np.searchsorted(x, lower[edge, 0] + (y[row] - lower[edge, 1]) * slope)
    return row, column, rises[edge]


def _edges(polygon: Polygons) -> tuple[FloatArray, FloatArray]:
    """The (x, y) of all edges' starts and ends, holes' too: two (N, 2) arrays."""
    points, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(polygon)), return_index=True)
    same = ring[:-1] == ring[1:]
    return points[:-1][same], points[1:][same]


def _not_a_region(feature: Feature) -> str | None:
    """What a feature is if it is no region."""
    form = str(feature.geometry.get("type"))
    if feature.object_type in (DETECTION, CELL):
        return feature.object_type
    if feature.object_type != ANNOTATION:
        return f"object of type {feature.object_type}"
    if feature.is_empty:
        return NO_PLACE
    if form in _AREAS:
        return None
    return "line" if form in LINES else "annotation of points"


def mended(shape: shapely.Geometry) -> shapely.Geometry:
    """A valid shape of the same outline; a pure function.

    Raises
    ------
    ValueError
        If its outline crosses itself so often that mending it would take minutes and gigabytes.
    """
    if shapely.is_valid(shape):
        return shape
    if _crosses_itself_often(shape):
        raise ValueError(f"its outline crosses itself more than {_MOST_CROSSINGS:,} times")
    return shapely.make_valid(shape)


def _crosses_itself_often(shape: shapely.Geometry) -> bool:
    points, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(shape)), return_index=True)
    same = ring[:-1] == ring[1:]
    edges = shapely.linestrings(np.stack([points[:-1][same], points[1:][same]], axis=1))
    tree, found = shapely.STRtree(edges), 0
    for first in range(0, len(edges), _EDGES_AT_ONCE):
        found += tree.query(edges[first : first + _EDGES_AT_ONCE], predicate="crosses").shape[1]
        if found > 2 * _MOST_CROSSINGS:  # each is found from both edges
            return True
    return False


def _area(shape: shapely.Geometry, feature: Feature) -> Polygons:
    """A feature's shape as valid polygons."""
    try:
        polygons = polygons_of(mended(shape))
    except ValueError as error:
        raise AnnotationError(
            f"has an area that can't be read: {error}",
            where=feature.named,
            remedy="draw it again or remove it",
        ) from error
    if polygons is None:
        raise AnnotationError(
            f"has a {feature.geometry['type']} without an area",
            where=feature.named,
            remedy="draw it again or remove it",
        )
    return polygons
