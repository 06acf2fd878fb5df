"""XML of annotations, read without anything that could reach beyond the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from wsi_edt.errors import AnnotationError

XY = tuple[float, float]


def parse_xml(text: str, path: Path) -> ElementTree.Element:
    """The root of an XML document.

    Raises
    ------
    AnnotationError
        If it isn't XML, or declares a document type, with which entities could be made to grow without end.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise AnnotationError(
            "declares a document type or entities, which annotations never need",
            where=path,
            remedy="remove the declaration",
        )
    try:
        # Text that was decoded may still name its old encoding, which ElementTree refuses in text but not in bytes.
        body = text[text.index("?>") + 2 :] if text.lstrip().startswith("<?xml") and "?>" in text else text
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise AnnotationError(f"isn't XML: {error}", where=path, remedy="export it again") from error


def number(element: ElementTree.Element, name: str, where: str) -> float:
    """The number in an attribute or, if it has none, in a child of that name."""
    text = element.get(name)
    if text is None:
        child = element.find(name)
        text = child.text if child is not None else None
    try:
        value = float((text or "").replace(",", "."))
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise AnnotationError(f"has {text!r} as its {name}", where=where)
    return value


def polygon(points: list[XY]) -> dict[str, Any]:
    """The GeoJSON area within an outline."""
    return {"type": "Polygon", "coordinates": [[*points, points[0]]] if points else []}


def polyline(points: list[XY]) -> dict[str, Any]:
    """The GeoJSON line along points."""
    return {"type": "LineString", "coordinates": points}


def box_of(points: list[XY], *, ellipse: bool = False) -> dict[str, Any]:
    """The GeoJSON rectangle around points, or the ellipse in it."""
    xs, ys = zip(*points, strict=True)
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return polygon(corners) | ({"isEllipse": True} if ellipse else {})
