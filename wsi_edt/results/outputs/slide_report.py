"""report.html: one slide's result for a reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsi_edt.files import write_atomically
from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.report.figures import slide_figures
from wsi_edt.report.html import slide_page
from wsi_edt.results import names


@dataclass(frozen=True, slots=True)
class SlideReport:
    """The page of a slide.

    Attributes
    ----------
    cells, overview : the names of the files that it links to
    """

    cells: str
    overview: str
    name: str = names.REPORT
    other_names: tuple[str, ...] = ()

    def write(self, folder: Path, findings: SlideFindings, result: Ki67Result) -> None:
        """Write the file; see `Output`. SlideError if the slide is there but can't be read."""
        figures = slide_figures(findings, result)
        page = slide_page(result, figures, overview=self.overview, cells=self.cells)
        write_atomically(folder / self.name, page.encode())
