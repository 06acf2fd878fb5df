"""overview.png: the slide as a picture with its cells on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsi_edt.files import write_atomically
from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.report.overview import overview_png
from wsi_edt.results import names


@dataclass(frozen=True, slots=True)
class Overview:
    """The cells on the slide, for the eye."""

    name: str = names.OVERVIEW
    other_names: tuple[str, ...] = ()

    def write(self, folder: Path, findings: SlideFindings, result: Ki67Result) -> None:
        """Write the file; see `Output`. SlideError if the slide can't be read any more."""
        with findings.source.open() as slide:
            picture = overview_png(slide, findings.cells)
        write_atomically(folder / self.name, picture)
