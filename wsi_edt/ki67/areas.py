"""The areas of a slide that get numbers of their own: its whole tissue, what was drawn on it, what was looked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from wsi_edt.cells import Cells
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.place import Place
from wsi_edt.ki67.region_areas import named_areas, tissue_mm2
from wsi_edt.qupath.regions import Polygons, contains


class AreaKind(StrEnum):
    """What an area is."""

    TISSUE = "whole tissue"
    REGIONS = "all regions"
    CLASS = "regions of a class"
    REGION = "region"
    HOTSPOT = "hotspot"
    FIELD = "field"


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A part of a slide.

    Attributes
    ----------
    name : tells it from others of its kind
    cells : those inside, level-0 px
    mm2 : of tissue
    class_name : of the region, as it was drawn; None without a class
    shape : what was drawn, level-0 px; None of the whole tissue
    place : of a hotspot or field; None of what was drawn
    """

    kind: AreaKind
    name: str
    cells: Cells
    mm2: float
    class_name: str | None = None
    shape: Polygons | None = None
    place: Place | None = None


def areas_of(findings: SlideFindings) -> Iterator[Area]:
    """The areas of a slide; the first is its whole tissue, whatever was drawn.

    A region without the parts of it that were drawn as ignored; where they leave nothing, it has no tissue.
    """
    cells = findings.cells
    yield Area(AreaKind.TISSUE, AreaKind.TISSUE, cells, findings.tissue.area_mm2)
    for name, shape in named_areas(findings.regions):
        if shape is None:
            yield Area(AreaKind.REGION, name, Cells.empty(), 0.0)
            continue
        inside = cells.select(contains(shape, cells.x, cells.y))
        mm2 = tissue_mm2(shape, findings.tissue, findings.scale)
        yield Area(AreaKind.REGION, name, inside, mm2, shape=shape)
