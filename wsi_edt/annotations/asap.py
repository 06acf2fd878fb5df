"""ASAP's XML (Computational Pathology Group, Radboud): coordinates are level-0 px."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from wsi_edt.annotations.xml import XY, box_of, number, polygon, polyline
from wsi_edt.qupath.dialect import Feature

NO_GROUP = "None"


def asap_features(root: ElementTree.Element, path: Path) -> list[Feature]:
    """A feature for each annotation: its class is its group, a spline is the polygon of its points.

    Raises
    ------
    AnnotationError
        If a coordinate isn't a number; it names the annotation.
    """
    return [
        _feature(element, count, f"{path}, annotation {count}")
        for count, element in enumerate(root.iter("Annotation"), start=1)
    ]


def _feature(element: ElementTree.Element, count: int, where: str) -> Feature:
    ordered = sorted(element.iter("Coordinate"), key=lambda one: number(one, "Order", where))
    points = [(number(one, "X", where), number(one, "Y", where)) for one in ordered]
    group = element.get("PartOfGroup", NO_GROUP)
    properties: dict[str, Any] = {"objectType": "annotation", "name": element.get("Name")}
    if group != NO_GROUP:
        properties["classification"] = {"name": group}
    return Feature(count, where, _geometry(element.get("Type", ""), points), {}, properties)


def _geometry(kind: str, points: list[XY]) -> dict[str, Any]:
    if not points:
        return {}
    if kind == "Dot":
        return {"type": "Point", "coordinates": points[0]}
    if kind == "PointSet":
        return {"type": "MultiPoint", "coordinates": points}
    if kind == "Rectangle":
        return box_of(points)
    return polygon(points) if kind in ("Polygon", "Spline") and len(points) > 2 else polyline(points)
