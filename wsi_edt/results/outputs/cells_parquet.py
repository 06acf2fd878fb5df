"""cells.parquet: the cells as a table, where asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.qupath.dialect import Origin
from wsi_edt.results import names
from wsi_edt.tables.parquet import write_parquet


@dataclass(frozen=True, slots=True)
class CellsParquet:
    """The cells of a slide for pandas, R and others.

    Attributes
    ----------
    origin : of the geometry
    """

    origin: Origin
    name: str = names.CELLS_PARQUET
    other_names: tuple[str, ...] = ()

    def write(self, folder: Path, findings: SlideFindings, result: Ki67Result) -> None:
        """Write the file; see `Output`."""
        write_parquet(folder / self.name, findings, origin=self.origin)
