"""A checker of QuPath's GeoJSON contract, written from the contract and not from the writer.

QuPath itself can't run in tests. Each statement is about what its reader (0.8) drops, changes or refuses.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import shapely
import shapely.geometry

COLORS = {"Positive": [250, 62, 62], "Negative": [112, 112, 225]}
ROUNDING_PX = 0.01  # QuPath's grid


def check_geojson(path: Path, *, extent: tuple[float, float] | None = None) -> list[dict[str, Any]]:
    """The features of a file that keeps the contract in all points; AssertionError names one that fails.

    `extent` is the (width, height) of what QuPath shows: centres have to lie in it.
    """
    raw = path.read_bytes()
    if path.name.endswith(".gz"):
        raw = gzip.decompress(raw)
    else:
        assert raw[:2] != b"\x1f\x8b", "gzip inside a file that isn't named .gz"
    text = raw.decode("utf-8")
    collection = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_without_double_keys)
    assert collection["type"] == "FeatureCollection"
    assert set(collection) == {"type", "features"}, "keys that QuPath drops"
    features: list[dict[str, Any]] = collection["features"]
    assert isinstance(features, list)
    _check_compact(text)
    for feature in features:
        _check_feature(feature)
        if extent is not None:
            x, y = center(feature)
            assert 0 <= x <= extent[0], f"x {x} is beyond {extent}"
            assert 0 <= y <= extent[1], f"y {y} is beyond {extent}"
    ids = [feature["id"] for feature in features]
    assert len(set(ids)) == len(ids), "an id that two objects share"
    return features


def center(feature: dict[str, Any]) -> tuple[float, float]:
    """The centre of a point or of a circle."""
    geometry = feature["geometry"]
    if geometry["type"] == "Point":
        x, y = geometry["coordinates"]
        return x, y
    (ring,) = geometry["coordinates"]
    points = ring[:-1]
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def qupath_positive_percent(features: list[dict[str, Any]]) -> float | None:
    """QuPath's "Positive %": detections of class Positive over those of Positive and Negative."""
    names = [
        feature["properties"]["classification"]["name"]
        for feature in features
        if feature["properties"].get("objectType") == "detection"
    ]
    positive, negative = names.count("Positive"), names.count("Negative")
    return 100 * positive / (positive + negative) if positive + negative else None


def _refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} isn't JSON")


def _without_double_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), f"a key that stands twice: {keys}"
    return dict(pairs)


def _check_compact(text: str) -> None:
    outside_strings = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert not re.search(r"\s", outside_strings), "whitespace between tokens"
    assert not re.search(r"\d\.\d{4,}|[eE][+-]?\d", outside_strings), "more decimals than anything needs"


def _check_feature(feature: dict[str, Any]) -> None:
    assert set(feature) == {"type", "id", "geometry", "properties"}, f"keys of a feature: {sorted(feature)}"
    assert feature["type"] == "Feature"
    identity = UUID(feature["id"])
    assert str(identity) == feature["id"], "an id that is not in a UUID's usual form"
    assert identity.version == 5, "an id that is not made from a name"
    properties = feature["properties"]
    assert set(properties) == {"objectType", "classification", "measurements"}, "properties that QuPath drops"
    assert properties["objectType"] == "detection", "an object that QuPath reads as annotation"
    _check_classification(properties["classification"])
    measurements = properties["measurements"]
    assert isinstance(measurements, dict)
    assert measurements, "a detection without its score"
    for name, value in measurements.items():
        assert name, "a measurement without a name"
        assert isinstance(value, (int, float)), f"{name} is not a number: {value!r}"
        assert not isinstance(value, bool), f"{name} is not a number: {value!r}"
        assert math.isfinite(value), f"{name} is not finite"
    _check_geometry(feature["geometry"])


def _check_classification(classification: dict[str, Any]) -> None:
    assert set(classification) == {"name", "color"}, "QuPath refuses a class without a colour"
    name, color = classification["name"], classification["color"]
    assert name in {*COLORS, "Nucleus"}, f"a class that nobody knows: {name!r}"
    assert len(color) == 3
    assert all(type(part) is int and 0 <= part <= 255 for part in color), f"a colour of {color}"
    if name in COLORS:
        assert color == COLORS[name], f"{name} in {color}"
    else:
        assert color not in COLORS.values(), f"{name} in the colour of another class"


def _check_geometry(geometry: dict[str, Any]) -> None:
    assert set(geometry) == {"type", "coordinates"}, "isEllipse and the like are drawn by QuPath alone"
    assert geometry["type"] in {"Point", "Polygon"}, f"{geometry['type']} is not counted as one cell"
    if geometry["type"] == "Point":
        _check_position(geometry["coordinates"])
        return
    assert len(geometry["coordinates"]) == 1, "a circle has no holes"
    (ring,) = geometry["coordinates"]
    for position in ring:
        _check_position(position)
    assert ring[0] == ring[-1], "a ring that isn't closed"
    assert len(ring) >= 9, "a box, not a circle"
    rounded = [(round(x / ROUNDING_PX) * ROUNDING_PX, round(y / ROUNDING_PX) * ROUNDING_PX) for x, y in ring]
    polygon = shapely.geometry.Polygon(rounded)
    assert polygon.is_valid, "QuPath refuses a polygon that its rounding makes invalid"
    assert polygon.area > 0
    assert shapely.geometry.LinearRing(ring).is_ccw, "an outer ring against RFC 7946's right-hand rule"


def _check_position(position: list[float]) -> None:
    assert len(position) == 2, f"a position of {position}"
    for value in position:
        assert type(value) in (int, float), f"a coordinate of {value!r}"
        assert math.isfinite(value)
        assert abs(value * 100 - round(value * 100)) < 1e-4, f"{value} has more than two decimals"
