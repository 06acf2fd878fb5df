"""regions.csv: a row for each area of a slide that has numbers of its own, for spreadsheets."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.files import write_atomically
from wsi_edt.ki67 import NUMBERS, AreaResult, Ki67Result, SlideFindings
from wsi_edt.qupath.dialect import Origin, shown_corner
from wsi_edt.results import names
from wsi_edt.tables.harmless import harmless

_COLUMNS = (
    "kind",
    "name",
    "class",
    *(number.name for number in NUMBERS),
    "reason",
    "interval_reason",
    "shape",
    "x",
    "y",
    "size_um",
)


@dataclass(frozen=True, slots=True)
class RegionsCsv:
    """The areas of a slide: what it is reported by, then regions, hotspots and fields.

    Attributes
    ----------
    origin : of the places: what QuPath shows, or level 0
    """

    origin: Origin
    name: str = names.REGIONS
    other_names: tuple[str, ...] = ()

    def write(self, folder: Path, findings: SlideFindings, result: Ki67Result) -> None:
        """Write the file; see `Output`."""
        corner = shown_corner(findings.bounds, self.origin)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_row(area, corner) for area in result.areas)
        # A letter that is none (half of a pair, as JSON may name a region) stands as an escape.
        write_atomically(folder / self.name, text.getvalue().encode(errors="backslashreplace"))


def _row(area: AreaResult, corner: tuple[float, float]) -> dict[str, str]:
    """The row of an area; of what was drawn there is no place."""
    place = area.place
    return {
        "kind": area.kind,
        "name": harmless(area.name),
        "class": harmless(area.class_name or ""),
        **{number.name: number.in_table(area.values[number.name]) for number in NUMBERS},
        "reason": area.reason or "",
        "interval_reason": area.interval_reason or "",
        "shape": "" if place is None else place.shape,
        "x": "" if place is None else f"{place.x - corner[0]:.1f}",
        "y": "" if place is None else f"{place.y - corner[1]:.1f}",
        "size_um": "" if place is None else f"{place.size_um:.1f}",
    }
