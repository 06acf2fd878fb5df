"""The areas of a slide that get numbers of their own: its whole tissue, what was drawn on it, what was looked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import shapely

from wsi_edt.cells import Cells
from wsi_edt.ki67.drawn import DrawnArea, cells_in, drawn_areas, ignored_shape, joined, slide_shape
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.place import Place
from wsi_edt.ki67.region_areas import tissue_mm2
from wsi_edt.qupath.regions import IntArray, Polygons, polygons_of

WITHOUT_IGNORED: Final = "whole tissue without excluded areas"


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
    class_name : of the region or regions, as it was drawn; None without a class
    shape : of it, level-0 px; None of the whole tissue if nothing is ignored, and of an area of which nothing is left
    place : of a hotspot or field; None of what was drawn
    ignored_mm2 : of its tissue as it was drawn, what is ignored and so isn't in `mm2`
    """

    kind: AreaKind
    name: str
    cells: Cells
    mm2: float
    class_name: str | None = None
    shape: Polygons | None = None
    place: Place | None = None
    ignored_mm2: float = 0.0


def areas_of(findings: SlideFindings) -> Iterator[Area]:
    """The areas of a slide; the first is the one that the slide is reported by.

    That is its whole tissue, without what is ignored; then come the regions, all regions together if there are several,
    and those of each class if there are several classes or several regions of one. Where only regions count, all of them
    together come first, and there is no whole tissue. A region of which ignored ones leave nothing has no tissue.
    """
    drawn = drawn_areas(findings.regions)
    members = [cells_in(area.shape, findings.cells) for area in drawn]
    if not (findings.only_regions and drawn):
        yield _whole_tissue(findings)
    else:
        yield _together(AreaKind.REGIONS, AreaKind.REGIONS, None, drawn, members, findings)
    for area, inside in zip(drawn, members, strict=True):
        yield Area(
            AreaKind.REGION,
            area.name,
            findings.cells.select(inside),
            mm2 := _mm2(area.shape, findings),
            area.class_name,
            area.shape,
            ignored_mm2=_ignored_mm2([area], mm2, findings),
        )
    if not findings.only_regions and len(drawn) > 1:
        yield _together(AreaKind.REGIONS, AreaKind.REGIONS, None, drawn, members, findings)
    yield from _classes(drawn, members, findings)


def _whole_tissue(findings: SlideFindings) -> Area:
    """All tissue but what is ignored."""
    ignored, tissue = ignored_shape(findings.regions), findings.tissue
    if ignored is None:
        return Area(AreaKind.TISSUE, AreaKind.TISSUE, findings.cells, tissue.area_mm2)
    left = polygons_of(shapely.difference(slide_shape(tissue, findings.scale), ignored))
    whole_mm2 = tissue.area_mm2
    mm2 = 0.0 if left is None else max(whole_mm2 - _mm2(ignored, findings), 0.0)
    return Area(
        AreaKind.TISSUE, WITHOUT_IGNORED, findings.cells, mm2, shape=left, ignored_mm2=whole_mm2 - mm2
    )


def _classes(
    drawn: Sequence[DrawnArea], members: Sequence[IntArray], findings: SlideFindings
) -> Iterator[Area]:
    """The regions of each class together, in the order in which the classes first occur."""
    of_class: dict[str | None, list[int]] = {}
    for k, area in enumerate(drawn):
        of_class.setdefault(area.class_name, []).append(k)
    if len(of_class) == 1 and len(drawn) == 1:
        return
    for name, which in of_class.items():
        if name is not None:
            yield _together(
                AreaKind.CLASS,
                name,
                name,
                [drawn[k] for k in which],
                [members[k] for k in which],
                findings,
            )


def _together(
    kind: AreaKind,
    name: str,
    class_name: str | None,
    drawn: Sequence[DrawnArea],
    members: Sequence[IntArray],
    findings: SlideFindings,
) -> Area:
    """What lies in any of the regions: each cell once, wherever they overlap."""
    inside = np.zeros(len(findings.cells), np.bool_)
    for indices in members:
        inside[indices] = True
    shape = joined(area.shape for area in drawn)
    cells = findings.cells if inside.all() else findings.cells.select(inside)
    mm2 = _mm2(shape, findings)
    return Area(kind, name, cells, mm2, class_name, shape, ignored_mm2=_ignored_mm2(drawn, mm2, findings))


def _ignored_mm2(drawn: Sequence[DrawnArea], mm2: float, findings: SlideFindings) -> float:
    """How much of the regions' tissue is ignored; `mm2` of it isn't."""
    if all(area.shape is area.outline for area in drawn):
        return 0.0
    return max(_mm2(joined(area.outline for area in drawn), findings) - mm2, 0.0)


def _mm2(shape: Polygons | None, findings: SlideFindings) -> float:
    return 0.0 if shape is None else tissue_mm2(shape, findings.tissue, findings.scale)
