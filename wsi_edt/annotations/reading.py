"""Annotation files in any known format: their features, and the regions among them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.annotations.content import read_content, text_of, uncollected
from wsi_edt.annotations.formats import Kind, json_reader, kind_of, xml_features
from wsi_edt.annotations.slide import AnnotatedSlide
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.dialect import Feature, geojson_features, parsed_json
from wsi_edt.qupath.passed_over import in_words
from wsi_edt.qupath.regions import Region, RegionsFound, find_regions

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn in a file.

    Attributes
    ----------
    features : in the file's order
    corner : the level-0 point at which their coordinates start; (0, 0) if the slide isn't known
    """

    features: list[Feature]
    corner: tuple[float, float]


def read_drawing(path: Path, slide: AnnotatedSlide | None = None) -> Drawing:
    """What is drawn in a file: GeoJSON as QuPath writes it, or what ImageScope, ASAP, NDP.view, Cytomine or Sectra write.

    GeoJSON's coordinates are the px that QuPath shows; all others' are level-0 px. Any file may be packed (``.gz``).

    Parameters
    ----------
    path : the file; its content tells the format, not its name
    slide : that it was drawn on; the last three programs' files can't be read without

    Raises
    ------
    AnnotationError
        If it can't be read; it names the file.
    """
    return drawing_of(read_content(path), path, slide)


def drawing_of(content: bytes, path: Path, slide: AnnotatedSlide | None = None) -> Drawing:
    """The same of a file's content, unpacked; see `read_drawing`."""
    level_0 = (0.0, 0.0)
    kind = kind_of(content, path)
    if kind is Kind.XML:
        return Drawing(xml_features(text_of(content, path), path, slide), level_0)
    if kind is Kind.TEXT and not content.strip(b"\0 \t\r\n"):
        raise AnnotationError("is empty", where=path, remedy="export it again")
    if kind is Kind.TEXT:
        raise AnnotationError(
            "isn't GeoJSON or XML of annotations", where=path, remedy="export GeoJSON from QuPath"
        )
    with uncollected():
        document = parsed_json(content, path)
        read = json_reader(document)
        if read is not None:
            return Drawing(read(document, path, slide), level_0)
        return Drawing(geojson_features(document, path), slide.corner if slide else level_0)


def read_regions(path: Path, slide: AnnotatedSlide) -> list[Region]:
    """The areas that are drawn in a file; see `drawn_regions`. What the file holds beside them is logged as a warning."""
    found = drawn_regions(path, slide)
    if found.passed_over:
        _log.warning("%s: passed over what is no region: %s", path, in_words(found.passed_over))
    return found.regions


def drawn_regions(path: Path, slide: AnnotatedSlide) -> RegionsFound:
    """The areas that are drawn in a file, in level-0 px and the file's order, and what else it holds.

    See `read_drawing` for what is read. Regions of class Ignore* are among them, see `Region.ignored`.

    Parameters
    ----------
    path : the file
    slide : that it was drawn on: `AnnotatedSlide.of` an open slide

    Raises
    ------
    AnnotationError
        If it can't be read, or holds no area; it names the file, and the feature.
    """
    drawing = read_drawing(path, slide)
    found = find_regions(drawing.features, corner=drawing.corner)
    if not found.regions:
        words = in_words(found.passed_over)
        held = f"holds {words}, but no regions" if words else "holds no regions"
        raise AnnotationError(held, where=path, remedy="draw areas, and export them again")
    return found
