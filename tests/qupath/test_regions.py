"""Regions: what QuPath writes becomes valid polygons in level-0 px; what is wrong is named with its feature."""

import gzip
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from wsi_edt.annotations import read_drawing
from wsi_edt.errors import AnnotationError
from wsi_edt.geometry import Window
from wsi_edt.qupath.dialect import Origin, shown_corner
from wsi_edt.qupath.regions import Region, contains, find_regions, grid_mask, regions_of

SQUARE = [[10, 20], [30, 20], [30, 40], [10, 40], [10, 20]]


def feature(geometry: dict[str, Any] | None, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "id": "…", "geometry": geometry, "properties": properties}


def polygon(ring: Sequence[Sequence[object]], **extra: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [ring]} | extra


def write(path: Path, *features: object) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def read_regions(path: Path, *, corner: tuple[float, float] = (0, 0)) -> list[Region]:
    return regions_of(read_drawing(path).features, corner=corner)


def test_areas_of_annotations_are_regions_and_nothing_else_is(tmp_path: Path) -> None:
    points = {"type": "MultiPoint", "coordinates": [[1, 2]]}
    line = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}
    path = write(
        tmp_path / "a.geojson",
        feature(polygon(SQUARE), objectType="annotation", name="Hot spot", isLocked=True),
        feature(
            polygon(SQUARE), objectType="annotation", classification={"name": "Tumor", "color": [200, 0, 0]}
        ),
        feature(polygon(SQUARE), classification={"names": ["Tumor", "Positive"], "color": [200, 0, 0]}),
        feature(points, objectType="annotation", classification={"name": "Positive"}),
        feature(line, objectType="annotation"),
        feature(polygon(SQUARE), objectType="detection", classification={"name": "Positive"}),
        feature(polygon(SQUARE), objectType="cell"),
        feature(polygon(SQUARE), objectType="tmaCore"),
    )
    regions = read_regions(path)
    assert [region.name for region in regions] == ["Hot spot", "Tumor", "Tumor: Positive"]
    assert [region.class_name for region in regions] == [None, "Tumor", "Tumor: Positive"]
    assert regions[0].polygon.equals(shapely.box(10, 20, 30, 40))


def test_a_region_without_name_or_class_has_its_number(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.geojson", feature(polygon(SQUARE)), feature(polygon(SQUARE), classification=None)
    )
    assert [region.name for region in read_regions(path)] == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "ignored"),
    [("Ignore*", True), ("ignore* (fold)", True), ("Region*", False), ("Tumor", False), (None, False)],
)
def test_ignored_classes(name: str | None, ignored: bool) -> None:
    assert Region("", shapely.box(0, 0, 1, 1), name).ignored is ignored


def test_bounds_are_added_to_what_qupath_shows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", feature(polygon(SQUARE)))
    bounds = Window(100, 50, 300, 200)
    expected: dict[Origin, tuple[int, ...]] = {"qupath": (110, 70, 130, 90), "openslide": (10, 20, 30, 40)}
    for origin, found in expected.items():
        (region,) = read_regions(path, corner=shown_corner(bounds, origin))
        assert region.polygon.bounds == found


def test_other_containers(tmp_path: Path) -> None:
    one = feature(polygon(SQUARE))
    for content in (one, [one]):
        (tmp_path / "a.geojson").write_text(json.dumps(content))
        assert len(read_regions(tmp_path / "a.geojson")) == 1
    packed = tmp_path / "a.geojson.gz"
    packed.write_bytes(gzip.compress(json.dumps([one]).encode()))
    assert len(read_regions(packed)) == 1


def test_holes_and_parts_are_kept(tmp_path: Path) -> None:
    outer = [[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]]
    far = [[200, 0], [210, 0], [210, 10], [200, 10], [200, 0]]
    parts = {"type": "MultiPolygon", "coordinates": [[outer, SQUARE], [far]]}
    (region,) = read_regions(write(tmp_path / "a.geojson", feature(parts)))
    assert region.polygon.area == 100 * 100 - 20 * 20 + 10 * 10
    inside = contains(region.polygon, np.array([5.0, 20, 205, 150, 100]), np.array([5.0, 30, 5, 5, 100]))
    assert inside.tolist() == [True, False, True, False, True]  # the last is on the edge


def test_an_ellipse_isnt_its_box(tmp_path: Path) -> None:
    box = [[0, 0], [40, 0], [40, 20], [0, 20], [0, 0]]
    (region,) = read_regions(write(tmp_path / "a.geojson", feature(polygon(box, isEllipse=True))))
    assert region.polygon.area == pytest.approx(math.pi * 20 * 10, rel=1e-3)
    assert region.polygon.bounds == pytest.approx((0, 0, 40, 20))


@pytest.mark.parametrize(
    "empty",
    [
        {"type": "Polygon", "coordinates": [], "isEllipse": True},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "MultiPolygon", "coordinates": []},
        {"type": "Polygon"},
    ],
)
def test_empty_shapes_are_passed_over_and_counted(tmp_path: Path, empty: dict[str, Any]) -> None:
    path = write(tmp_path / "a.geojson", feature(empty), feature(polygon(SQUARE)))
    found = find_regions(read_drawing(path).features)
    assert len(found.regions) == 1 and found.passed_over == {"shape without a place": 1}


def test_a_wrong_feature_is_named_by_its_name_too(tmp_path: Path) -> None:
    flat = feature(polygon([[0, 0], [5, 0], [9, 0], [0, 0]]), name="nest\n2")
    with pytest.raises(
        AnnotationError, match=r"a\.geojson, feature 1 \('nest.*2'\) has a Polygon without an area"
    ):
        read_regions(write(tmp_path / "a.geojson", flat))


def test_a_crossing_outline_is_mended(tmp_path: Path) -> None:
    bow = [[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]
    (region,) = read_regions(write(tmp_path / "a.geojson", feature(polygon(bow))))
    assert region.polygon.is_valid
    assert region.polygon.area == pytest.approx(50)


def test_a_spike_is_dropped(tmp_path: Path) -> None:
    spiked = [[0, 0], [10, 0], [10, 10], [10, 30], [10, 10], [0, 10], [0, 0]]
    (region,) = read_regions(write(tmp_path / "a.geojson", feature(polygon(spiked))))
    assert region.polygon.equals(shapely.box(0, 0, 10, 10))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (feature(polygon([[0, 0], [5, 0], [9, 0], [0, 0]])), "has a Polygon without an area; draw it again"),
        (feature(polygon([[0, 0], [5, 5]])), "has a Polygon that can't be read"),
        (
            feature(polygon([[0, 0], ["a", 0], [5, 5], [0, 0]])),
            "has a Polygon that can't be read: 'a' is no coordinate",
        ),
        (feature({"type": "Polygon", "coordinates": 3}), "has a Polygon that can't be read"),
        (feature([1]), "has properties or a geometry that isn't an object"),  # type: ignore[arg-type]
        ("text", "isn't an object, as GeoJSON's features are"),
    ],
)
def test_wrong_features_are_named(tmp_path: Path, wrong: object, says: str) -> None:
    path = write(tmp_path / "a.geojson", feature(polygon(SQUARE)), wrong)
    with pytest.raises(AnnotationError, match=rf"a\.geojson, feature 2 {says}"):
        read_regions(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("{", "isn't GeoJSON"),
        ("3", "isn't GeoJSON"),
        ('{"type": "Topology"}', "has no features"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(content)
    with pytest.raises(AnnotationError, match=rf"a\.geojson {says}"):
        read_regions(path)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"absent\.geojson can't be read"):
        read_regions(tmp_path / "absent.geojson")
    (tmp_path / "a.geojson.gz").write_bytes(b"no gzip")
    with pytest.raises(AnnotationError, match=r"a\.geojson\.gz can't be read"):
        read_regions(tmp_path / "a.geojson.gz")


coordinates = st.floats(-40, 40, allow_nan=False, width=32)


@st.composite
def areas(draw: st.DrawFn) -> shapely.Geometry:
    """Any valid polygon or several: the convex hull of some points, less that of others."""
    outer, inner = (
        shapely.MultiPoint(
            draw(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=12))
        ).convex_hull
        for _ in range(2)
    )
    return outer.difference(inner)


@given(areas(), st.floats(-50, 0), st.floats(0.1, 4), st.integers(1, 40), st.integers(1, 40))
def test_grid_mask_against_shapely(
    area: shapely.Geometry, first: float, step: float, width: int, height: int
) -> None:
    assume(isinstance(area, shapely.Polygon | shapely.MultiPolygon) and area.area > 0)
    x, y = (np.asarray(first + step * np.arange(n), np.float64) for n in (width, height))
    mask = grid_mask(area, x, y)
    grid_x, grid_y = np.meshgrid(x, y)
    # On the outline itself, to rounding, either is right.
    away = shapely.distance(area.boundary, shapely.points(grid_x, grid_y)) > 1e-6
    assert mask.shape == (height, width)
    assert np.array_equal(mask[away], shapely.contains_xy(area, grid_x, grid_y)[away])


@given(areas(), st.integers(0, 30), st.integers(0, 30))
def test_the_mask_of_a_crop_is_the_crop_of_the_mask(area: shapely.Geometry, left: int, top: int) -> None:
    assume(isinstance(area, shapely.Polygon | shapely.MultiPolygon) and area.area > 0)
    axis = np.asarray(0.7 * np.arange(-60, 60), np.float64)
    whole = grid_mask(area, axis, axis)
    crop = grid_mask(area, axis[left : left + 64], axis[top : top + 48])
    assert np.array_equal(crop, whole[top : top + 48, left : left + 64])
