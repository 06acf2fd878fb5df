"""report.pdf: the slide's page as it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsi_edt.errors import OutputError
from wsi_edt.files import write_atomically
from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.report.pdf import pdf_of
from wsi_edt.results import names


@dataclass(frozen=True, slots=True)
class SlidePdf:
    """The page of a slide on paper.

    Attributes
    ----------
    page : the name of the page, which is written before
    """

    page: str
    name: str = names.REPORT_PDF
    other_names: tuple[str, ...] = ()

    def write(self, folder: Path, findings: SlideFindings, result: Ki67Result) -> None:
        """Write the file; see `Output`."""
        try:
            page = (folder / self.page).read_text(encoding="utf-8")
        except OSError as error:
            raise OutputError(f"can't be read: {error.strerror}", where=folder / self.page) from error
        write_atomically(folder / self.name, pdf_of(page))
