"""Hamamatsu NDP.view's annotations: nanometres from the slide's centre, which only the slide can turn into px."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from wsi_edt.annotations.slide import AnnotatedSlide
from wsi_edt.annotations.xml import XY, box_of, number, polygon, polyline
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.dialect import Feature

NM = 1000.0  # in a µm
NANOMETRES = "nanometers"  # as the format spells its unit


def ndpa_features(root: ElementTree.Element, path: Path, slide: AnnotatedSlide | None) -> list[Feature]:
    """A feature for each view state, in level-0 px; its title is its name and its class.

    Parameters
    ----------
    slide : whose centre, µm/px and offset the positions are measured by

    Raises
    ------
    AnnotationError
        Without a slide, or with one whose centre isn't known; if a number is missing.
    """
    if slide is None:
        raise AnnotationError(
            "measures from its slide's centre, so that it can't be read without the slide",
            where=path,
            remedy="pass --slide, or export GeoJSON from QuPath",
        )
    x_nm, y_nm = slide.centre_offset_nm or (None, None)
    if x_nm is None or y_nm is None or slide.mpp is None:
        raise AnnotationError(
            "measures from its slide's centre, which only a Hamamatsu slide (.ndpi, .vms) states",
            where=path,
            remedy="export GeoJSON from QuPath",
        )
    width, height = slide.size
    nm_per_px = slide.mpp * NM

    def to_l0(x: float, y: float) -> XY:
        return (x - x_nm) / nm_per_px + width / 2, (y - y_nm) / nm_per_px + height / 2

    features = []
    for count, state in enumerate(root.iter("ndpviewstate"), start=1):
        where = f"{path}, annotation {count}"
        title = (state.findtext("title") or "").strip()
        properties: dict[str, Any] = {"objectType": "annotation", "name": title or None}
        if title:
            properties["classification"] = {"name": title}
        unit = (state.findtext("coordformat") or NANOMETRES).strip().lower()
        if unit != NANOMETRES:
            raise AnnotationError(
                f"is measured in {unit}, not in {NANOMETRES}",
                where=where,
                remedy="export GeoJSON from QuPath",
            )
        drawn = state.find("annotation")
        geometry = {} if drawn is None else _geometry(drawn, where)
        features.append(Feature(count, where, _moved(geometry, to_l0), {}, properties))
    return features


def _geometry(drawn: ElementTree.Element, where: str) -> dict[str, Any]:
    """The shape in nm."""
    kind = drawn.get("type", "")
    points = [(number(one, "x", where), number(one, "y", where)) for one in drawn.iter("point")]
    if kind == "pin":
        return {"type": "Point", "coordinates": (number(drawn, "x", where), number(drawn, "y", where))}
    if kind == "circle":
        x, y, radius = (number(drawn, name, where) for name in ("x", "y", "radius"))
        return box_of([(x - radius, y - radius), (x + radius, y + radius)], ellipse=True)
    if drawn.find("x1") is not None:  # a ruler or an arrow
        return polyline([(number(drawn, f"x{end}", where), number(drawn, f"y{end}", where)) for end in "12"])
    if not points:
        return {}
    closed = (drawn.findtext("closed") or "0").strip() == "1"
    return polygon(points) if closed and len(points) > 2 else polyline(points)


def _moved(geometry: dict[str, Any], to_l0: Callable[[float, float], XY]) -> dict[str, Any]:
    """A shape in nm as one in level-0 px."""
    kind, places = geometry.get("type"), list(geometry.get("coordinates") or ())
    if kind == "Point":
        x, y = places
        return geometry | {"coordinates": to_l0(x, y)}
    if kind == "LineString":
        return geometry | {"coordinates": [to_l0(*place) for place in places]}
    if kind == "Polygon":
        return geometry | {"coordinates": [[to_l0(*place) for place in ring] for ring in places]}
    return geometry
