"""Which program wrote a file, told by its content: a new format is a file beside this one and a line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

from wsi_edt.annotations.aperio import aperio_features
from wsi_edt.annotations.asap import asap_features
from wsi_edt.annotations.ndpa import ndpa_features
from wsi_edt.annotations.slide import AnnotatedSlide
from wsi_edt.annotations.xml import parse_xml
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.dialect import Feature

XmlReader = Callable[[ElementTree.Element, Path, AnnotatedSlide | None], list[Feature]]

# By the name of the document's first element, in lower case.
XML_FORMATS: Mapping[str, XmlReader] = {
    "asap_annotations": lambda root, path, slide: asap_features(root, path),
    "annotations": lambda root, path, slide: (
        ndpa_features(root, path, slide)
        if root.find("ndpviewstate") is not None
        else aperio_features(root, path)
    ),
}


def xml_features(text: str, path: Path, slide: AnnotatedSlide | None) -> list[Feature]:
    """The features of an XML file of annotations, in level-0 px.

    Raises
    ------
    AnnotationError
        If it isn't XML, or of a program that isn't known.
    """
    root = parse_xml(text, path)
    read = XML_FORMATS.get(root.tag.lower())
    if read is None:
        raise AnnotationError(
            f"is XML of a kind that isn't read (its first element is <{root.tag}>)",
            where=path,
            remedy="export GeoJSON from QuPath; XML is read from ImageScope, ASAP and NDP.view",
        )
    return read(root, path, slide)
