"""The checker finds each breach: a checker that can't fail would prove nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.qupath.qupath_contract import check_geojson, qupath_positive_percent

CIRCLE = [[5, 0], [4, 3], [3, 4], [0, 5], [-3, 4], [-4, 3], [-5, 0], [-3, -4], [0, -5], [3, -4], [5, 0]]


def feature(number: int = 1, *, circle: bool = False) -> dict[str, Any]:
    """A feature as the contract has it, written by hand."""
    point = {"type": "Point", "coordinates": [10.5, 20.25]}
    return {
        "type": "Feature",
        "id": f"21f7f8de-8051-5b89-8680-{number:012d}",
        "geometry": {"type": "Polygon", "coordinates": [[list(p) for p in CIRCLE]]} if circle else point,
        "properties": {
            "objectType": "detection",
            "classification": {"name": "Positive", "color": [250, 62, 62]},
            "measurements": {"Score": 0.75},
        },
    }


def written(path: Path, features: list[dict[str, Any]]) -> Path:
    collection = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(collection, separators=(",", ":")))
    return path


def test_what_keeps_the_contract_passes(tmp_path: Path) -> None:
    features = check_geojson(written(tmp_path / "a.geojson", [feature(1), feature(2, circle=True)]))
    assert len(features) == 2
    assert qupath_positive_percent(features) == 100.0


Breach = Callable[[dict[str, Any]], None]


def _set(*keys: str | int, value: object) -> Breach:
    def change(target: dict[str, Any]) -> None:
        place: Any = target
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def _drop(*keys: str) -> Breach:
    def change(target: dict[str, Any]) -> None:
        place: Any = target
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]

    return change


BREACHES: dict[str, Breach] = {
    "no objectType": _drop("properties", "objectType"),
    "annotation": _set("properties", "objectType", value="annotation"),
    "no id": _drop("id"),
    "id no UUID": _set("id", value="cell-1"),
    "random id": _set("id", value="21f7f8de-8051-4b89-8680-0195ef798b6a"),
    "no colour": _drop("properties", "classification", "color"),
    "other colour": _set("properties", "classification", "color", value=[255, 0, 0]),
    "colour as fraction": _set("properties", "classification", "color", value=[0.5, 0.5, 0.5]),
    "unknown class": _set("properties", "classification", "name", value="positive"),
    "unclassified in another's colour": _set("properties", "classification", "name", value="Nucleus"),
    "score as text": _set("properties", "measurements", "Score", value="0.75"),
    "score as list": _set("properties", "measurements", value=[{"name": "Score", "value": 0.75}]),
    "no score": _set("properties", "measurements", value={}),
    "NaN score": _set("properties", "measurements", "Score", value=float("nan")),
    "unknown property": _set("properties", "score", value=0.75),
    "three decimals": _set("geometry", "coordinates", value=[10.125, 20.0]),
    "three coordinates": _set("geometry", "coordinates", value=[10.5, 20.5, 0]),
    "MultiPoint": _set("geometry", value={"type": "MultiPoint", "coordinates": [[1, 2]]}),
}
CIRCLE_BREACHES: dict[str, Breach] = {
    "ellipse": _set("geometry", "isEllipse", value=True),
    "open ring": _set("geometry", "coordinates", value=[CIRCLE[:-1]]),
    "clockwise": _set("geometry", "coordinates", value=[CIRCLE[::-1]]),
    "crossing itself": _set("geometry", "coordinates", value=[[*CIRCLE[:3], CIRCLE[7], *CIRCLE[4:]]]),
    "box": _set("geometry", "coordinates", value=[[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]),
    "nothing left after rounding": _set(
        "geometry", "coordinates", value=[[[x / 1e6, y / 1e6] for x, y in CIRCLE]]
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_each_breach_is_found(tmp_path: Path, name: str) -> None:
    broken = feature()
    BREACHES[name](broken)
    with pytest.raises((AssertionError, ValueError, KeyError)):
        check_geojson(written(tmp_path / "a.geojson", [broken]))


@pytest.mark.parametrize("name", CIRCLE_BREACHES)
def test_each_breach_of_a_circle_is_found(tmp_path: Path, name: str) -> None:
    broken = feature(circle=True)
    CIRCLE_BREACHES[name](broken)
    with pytest.raises((AssertionError, ValueError)):
        check_geojson(written(tmp_path / "a.geojson", [broken]))


def test_breaches_of_the_whole_file_are_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="share"):
        check_geojson(written(tmp_path / "twice.geojson", [feature(), feature()]))
    with pytest.raises(AssertionError, match="beyond"):
        check_geojson(written(tmp_path / "outside.geojson", [feature()]), extent=(10, 30))
    spaced = tmp_path / "spaced.geojson"
    spaced.write_text(json.dumps({"type": "FeatureCollection", "features": [feature()]}))
    with pytest.raises(AssertionError, match="whitespace"):
        check_geojson(spaced)
    doubled = tmp_path / "doubled.geojson"
    doubled.write_text('{"type":"FeatureCollection","type":"FeatureCollection","features":[]}')
    with pytest.raises(AssertionError, match="twice"):
        check_geojson(doubled)
