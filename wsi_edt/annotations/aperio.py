"""Aperio ImageScope's XML: layers ("annotations") of regions, coordinates are level-0 px."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from wsi_edt.annotations.xml import XY, box_of, number, polygon, polyline
from wsi_edt.qupath.dialect import Feature

_FREEHAND, _RECTANGLE, _ELLIPSE, _ARROW, _RULER, _COUNTER = "0", "1", "2", "3", "4", "5"
IGNORED = "Ignore*"  # QuPath's class for where not to look, which is what a negative region is


def aperio_features(root: ElementTree.Element, path: Path) -> list[Feature]:
    """A feature for each region: its class is its layer's name (or description), "Ignore*" for a negative region.

    Raises
    ------
    AnnotationError
        If a coordinate isn't a number; it names the region.
    """
    features: list[Feature] = []
    for layer in root.iter("Annotation"):
        for region in layer.iter("Region"):
            count = len(features) + 1
            features.append(_feature(region, _name_of(layer), count, f"{path}, region {count}"))
    return features


def _name_of(layer: ElementTree.Element) -> str | None:
    """A layer's name or, where people leave it empty, its description."""
    described = (one.get("Value") for one in layer.iterfind("Attributes/Attribute[@Name='Description']"))
    return layer.get("Name") or next(filter(None, described), None)


def _feature(region: ElementTree.Element, layer: str | None, count: int, where: str) -> Feature:
    points = [(number(one, "X", where), number(one, "Y", where)) for one in region.iter("Vertex")]
    properties: dict[str, Any] = {"objectType": "annotation", "name": region.get("Text") or None}
    name = IGNORED if region.get("NegativeROA", "0") == "1" else layer
    if name:
        properties["classification"] = {"name": name}
    return Feature(count, where, _geometry(region.get("Type", _FREEHAND), points), {}, properties)


def _geometry(kind: str, points: list[XY]) -> dict[str, Any]:
    if not points:
        return {}
    if kind in (_ARROW, _RULER):
        return polyline(points)
    if kind == _COUNTER or len(points) == 1:
        return {"type": "MultiPoint", "coordinates": points}
    if kind in (_RECTANGLE, _ELLIPSE):
        return box_of(points, ellipse=kind == _ELLIPSE)
    return polygon(points) if len(points) > 2 else polyline(points)
