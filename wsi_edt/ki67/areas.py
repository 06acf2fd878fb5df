"""The areas of a slide that get numbers of their own: its whole tissue, and each region that the user drew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from wsi_edt.cells import Cells
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.region_areas import named_areas, tissue_mm2
from wsi_edt.qupath.regions import contains


class AreaKind(StrEnum):
    """What an area is."""

    TISSUE = "whole tissue"
    REGION = "region"


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A part of a slide.

    Attributes
    ----------
    name : tells it from others of its kind
    cells : those inside, level-0 px
    mm2 : of tissue
    """

    kind: AreaKind
    name: str
    cells: Cells
    mm2: float


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
        yield Area(AreaKind.REGION, name, inside, tissue_mm2(shape, findings.tissue, findings.scale))
