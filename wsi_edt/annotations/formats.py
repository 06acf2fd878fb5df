"""Which program wrote a file, told by its content: a new format is a file beside this one and a line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from pathlib import Path
from xml.etree import ElementTree

from wsi_edt.annotations.aperio import aperio_features
from wsi_edt.annotations.asap import asap_features
from wsi_edt.annotations.cytomine import cytomine_features, is_cytomine
from wsi_edt.annotations.ndpa import ndpa_features
from wsi_edt.annotations.sectra import is_sectra, sectra_features
from wsi_edt.annotations.slide import AnnotatedSlide
from wsi_edt.annotations.xml import parse_xml
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.dialect import Feature

XmlReader = Callable[[ElementTree.Element, Path, AnnotatedSlide | None], list[Feature]]
JsonReader = Callable[[object, Path, AnnotatedSlide | None], list[Feature]]

# By the name of the document's first element, in lower case.
XML_FORMATS: Mapping[str, XmlReader] = {
    "asap_annotations": lambda root, path, slide: asap_features(root, path),
    "annotations": lambda root, path, slide: (
        ndpa_features(root, path, slide)
        if root.find("ndpviewstate") is not None
        else aperio_features(root, path)
    ),
}

# What isn't of one of these is GeoJSON.
JSON_FORMATS: tuple[tuple[Callable[[object], bool], JsonReader], ...] = (
    (is_cytomine, cytomine_features),
    (is_sectra, sectra_features),
)

_JAVA_OBJECTS = b"\xac\xed\x00\x05"
_HEAD = 4096


class Kind(Enum):
    """What a file is written in."""

    JSON = auto()
    XML = auto()
    TEXT = auto()


def kind_of(content: bytes, path: Path) -> Kind:
    """What a file's content is written in, by its first character; whatever isn't JSON or XML is text.

    Raises
    ------
    AnnotationError
        If it is data of QuPath's own (.qpdata), which only QuPath reads.
    """
    if content.startswith(_JAVA_OBJECTS):
        raise AnnotationError(
            "is data of QuPath's own, which other programs can't read",
            where=path,
            remedy="export GeoJSON from QuPath (File > Export objects as GeoJSON)",
        )
    head = content[:_HEAD].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")  # byte order marks
    return {b"{": Kind.JSON, b"[": Kind.JSON, b"<": Kind.XML}.get(head[:1], Kind.TEXT)


def json_reader(document: object) -> JsonReader | None:
    """Who reads a JSON document of another program than QuPath; None for GeoJSON."""
    return next((read for is_format, read in JSON_FORMATS if is_format(document)), None)


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
