"""What the maps of a slide show: which part of it, its tissue and what was drawn."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.ki67 import SlideFindings
from wsi_edt.ki67.areas import Area
from wsi_edt.ki67.drawn import drawn_areas, ignored_shape
from wsi_edt.ki67.region_areas import tissue_raster
from wsi_edt.qupath.regions import Polygons
from wsi_edt.report.frame import Frame, view_of
from wsi_edt.report.heat_maps import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What the maps of a slide show.

    Attributes
    ----------
    area : that the slide is reported by
    tissue : its tissue, (rows, columns) shares of the mask's units
    regions : what was drawn, by name; as it was drawn where all of it is ignored
    excluded : all that was drawn to be ignored; None if nothing was
    frame : where it lies on a figure
    """

    area: Area
    tissue: FloatArray
    regions: tuple[tuple[str, Polygons], ...]
    excluded: Polygons | None
    frame: Frame

    @classmethod
    def of(cls, area: Area, findings: SlideFindings) -> Shown:
        """What is shown of a slide that is reported by that area."""
        tissue = tissue_raster(area.shape, findings.tissue, findings.scale)
        drawn = drawn_areas(findings.regions)
        regions = tuple((area.name, area.shape or area.outline) for area in drawn)
        shapes = [shape for _, shape in regions]
        view = view_of(tissue, shapes, findings.tissue.extent, findings.scale)
        excluded = ignored_shape(findings.regions)
        return cls(area, tissue, regions, excluded, Frame.of(view, slide_mpp=findings.scale.slide_mpp))
