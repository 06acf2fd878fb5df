"""Annotation files in any known format: their features, and the regions among them."""

from __future__ import annotations

from pathlib import Path

from wsi_edt.annotations.content import read_content, text_of
from wsi_edt.annotations.formats import xml_features
from wsi_edt.annotations.slide import AnnotatedSlide
from wsi_edt.qupath.dialect import Feature, geojson_features
from wsi_edt.qupath.regions import Region, regions_of


def read_features(path: Path, slide: AnnotatedSlide | None = None) -> list[Feature]:
    """What is drawn in a file: GeoJSON as QuPath writes it (``.gz`` too), or XML of ImageScope, ASAP or NDP.view.

    GeoJSON's coordinates are the px that QuPath shows; all others' are level-0 px.

    Parameters
    ----------
    path : the file; its content tells the format, not its name
    slide : that it was drawn on; NDP.view's files can't be read without

    Raises
    ------
    AnnotationError
        If it can't be read; it names the file.
    """
    return _features(path, slide)[0]


def read_regions(path: Path, slide: AnnotatedSlide) -> list[Region]:
    """The areas that are drawn in a file, in level-0 px and the file's order; see `read_features` for what is read.

    Raises
    ------
    AnnotationError
        If it can't be read; it names the file, and the feature.
    """
    features, is_geojson = _features(path, slide)
    return regions_of(features, corner=slide.corner if is_geojson else (0.0, 0.0))


def _features(path: Path, slide: AnnotatedSlide | None) -> tuple[list[Feature], bool]:
    """The features, and whether the file is GeoJSON."""
    content = read_content(path)
    if b"<" in content[:16]:
        text = text_of(content, path).lstrip("\ufeff \t\r\n")
        if text.startswith("<"):
            return xml_features(text, path, slide), False
    return geojson_features(content, path), True
