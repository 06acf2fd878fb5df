"""Cytomine's answers about annotations: well-known text in level-0 px, measured upwards from the lower edge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import shapely
import shapely.affinity
from shapely.errors import ShapelyError

from wsi_edt.annotations.slide import AnnotatedSlide
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.dialect import Feature

_LOCATION = "location"


def is_cytomine(document: object) -> bool:
    """Whether JSON is one annotation of Cytomine's, or a collection of them."""
    return bool(_entries(document))


def cytomine_features(document: object, path: Path, slide: AnnotatedSlide | None) -> list[Feature]:
    """A feature for each annotation: its term's name or, as Cytomine writes it, its number is its class.

    Parameters
    ----------
    slide : whose height turns the y axis over

    Raises
    ------
    AnnotationError
        Without a slide; or if a location isn't well-known text, naming the annotation.
    """
    if slide is None:
        raise AnnotationError(
            "measures from its slide's lower edge, so that it can't be read without the slide",
            where=path,
            remedy="pass --slide, or export GeoJSON from QuPath",
        )
    height = slide.size[1]
    features = []
    for number, entry in enumerate(_entries(document), start=1):
        where = f"{path}, annotation {number}"
        try:
            shape = shapely.from_wkt(entry[_LOCATION])
        except (ShapelyError, TypeError) as error:
            raise AnnotationError(f"has a location that can't be read: {error}", where=where) from error
        turned = shapely.affinity.affine_transform(shape, (1, 0, 0, -1, 0, height))
        geometry: dict[str, Any] = shapely.geometry.mapping(turned) if not turned.is_empty else {}
        properties: dict[str, Any] = {"objectType": "annotation"}
        if entry.get("term"):
            properties["classification"] = {"names": entry["term"]}
        features.append(Feature(number, where, geometry, {}, properties))
    return features


def _entries(document: object) -> list[dict[str, Any]]:
    """The annotations: Cytomine sends one below "annotation", many below "collection"."""
    if isinstance(document, dict):
        document = document.get("collection") or [document.get("annotation", document)]
    if not isinstance(document, list):
        return []
    entries = [one for one in document if isinstance(one, dict) and isinstance(one.get(_LOCATION), str)]
    return entries if len(entries) == len(document) else []
