"""Sectra's annotations: positions as parts of the slide's width or height, whichever their size agrees with."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import shapely
import shapely.geometry

from wsi_edt.annotations.slide import AnnotatedSlide
from wsi_edt.annotations.xml import XY, polygon, polyline
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.dialect import Feature

_MEASURED = re.compile(r"([\d.,]+)\s*(mm²|mm2|mm|µm²|µm2|µm)")
_UM = {"mm²": 1e3, "mm2": 1e3, "mm": 1e3, "µm²": 1.0, "µm2": 1.0, "µm": 1.0}
_TOLERANCE = 0.02  # the size is written with three digits


def is_sectra(document: object) -> bool:
    """Whether JSON is an annotation of Sectra's, or a list of them."""
    entries = _entries(document)
    return bool(entries) and all(isinstance(one, dict) and "content" in one for one in entries)


def sectra_features(document: object, path: Path, slide: AnnotatedSlide | None) -> list[Feature]:
    """A feature for each annotation, in level-0 px; its name is its class.

    Positions are parts of one side of the slide, the same for x and y. Which side isn't written; but what Sectra
    measured in mm is, and tells it.

    Raises
    ------
    AnnotationError
        Without a slide of known µm/px; if the size that was measured agrees with neither side; or if a position isn't a
        number.
    """
    if slide is None or slide.mpp is None:
        raise AnnotationError(
            "measures in parts of its slide, so that it can't be read without the slide and its µm/px",
            where=path,
            remedy="pass --slide (and --mpp if it states none), or export GeoJSON from QuPath",
        )
    features = []
    for number, entry in enumerate(_entries(document), start=1):
        where = f"{path}, annotation {number}"
        points = _points(entry, where)
        shape = polygon if entry.get("type") == "Area" and len(points) > 2 else polyline
        side = _side_px(shape(points), str(entry.get("result")), slide.size, slide.mpp)
        if side is None:
            raise AnnotationError(
                f"measures {entry.get('result')!r}, which agrees with neither side of the slide",
                where=where,
                remedy="was it drawn on another slide?",
            )
        properties: dict[str, Any] = {"objectType": "annotation", "name": entry.get("name")}
        if entry.get("name"):
            properties["classification"] = {"name": entry["name"]}
        placed = shape([(x * side, y * side) for x, y in points])
        features.append(Feature(number, where, placed, {}, properties))
    return features


def _entries(document: object) -> list[Any]:
    return document if isinstance(document, list) else [document]


def _points(entry: Any, where: str) -> list[XY]:  # noqa: ANN401 - whatever JSON holds
    try:
        points = [(float(one["x"]), float(one["y"])) for one in entry["content"]]
        if len(points) < 2 or not all(math.isfinite(value) for point in points for value in point):
            raise ValueError("fewer than two places, or one that isn't finite")
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise AnnotationError(f"has places that can't be read: {error}", where=where) from error
    return points


def _side_px(shape: dict[str, Any], measured: str, size: tuple[int, int], mpp: float) -> int | None:
    """The side of the slide, in px, of which positions are parts; None if neither agrees with what was measured."""
    found = _MEASURED.search(measured.replace("μ", "µ"))
    if found is None:
        return None
    value, unit = float(found[1].replace(",", ".")), found[2]
    drawn = shapely.geometry.shape(shape)
    is_area = unit[-1] in "²2"
    part = math.sqrt(drawn.area) if is_area else drawn.length
    length_um = (math.sqrt(value) if is_area else value) * _UM[unit]
    if part == 0:
        return None
    side_px = length_um / part / mpp
    nearest = min(size, key=lambda side: abs(side - side_px))
    return nearest if abs(nearest - side_px) <= _TOLERANCE * side_px else None
