"""cells.geojson: the cells as detections, for QuPath."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.qupath.cells_out import write_geojson
from wsi_edt.qupath.dialect import Geometry, Origin, shown_corner
from wsi_edt.results import names

_CIRCLE_RADIUS_UM = 3.0  # of a small nucleus, so that neighbours don't overlap


@dataclass(frozen=True, slots=True)
class CellsGeoJson:
    """The cells of a slide.

    Attributes
    ----------
    geometry : of each cell
    origin : of the coordinates: what QuPath shows, or level 0
    gzip : whether the file is compressed
    """

    geometry: Geometry
    origin: Origin
    gzip: bool

    @property
    def name(self) -> str:
        """The file's name."""
        return names.CELLS_GZIPPED if self.gzip else names.CELLS

    @property
    def other_names(self) -> tuple[str, ...]:
        """The name with the other compression."""
        return (names.CELLS if self.gzip else names.CELLS_GZIPPED,)

    def write(self, folder: Path, findings: SlideFindings, result: Ki67Result) -> None:
        """Write the file; see `Output`."""
        self.write_cells(folder / self.name, findings)

    def write_cells(self, path: Path, findings: SlideFindings) -> None:
        """Write the cells to a file of any name, gzipped if it ends in .gz; OutputError if it can't be written."""
        write_geojson(
            path,
            findings.cells,
            slide_name=findings.slide,
            radius_px=_CIRCLE_RADIUS_UM / findings.scale.slide_mpp,
            corner=shown_corner(findings.bounds, self.origin),
            geometry=self.geometry,
        )
