"""The formats that finished slides' cells are exported in later. A new one is a file in `tables` and a line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wsi_edt.ki67 import SlideFindings
from wsi_edt.results import names
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.results.outputs.cells_geojson import CellsGeoJson
from wsi_edt.tables.anndata import refuse_without_anndata, write_anndata
from wsi_edt.tables.csv import write_csv
from wsi_edt.tables.parquet import write_parquet


@dataclass(frozen=True, slots=True)
class Export:
    """The cells of a slide in one format.

    Attributes
    ----------
    name : of the file
    write : writes it, atomically; the same findings give the same bytes
    options : names of the output options that it follows
    refuse : raises a UsageError if what it needs isn't installed
    """

    name: str
    write: Callable[[Path, SlideFindings], None]
    options: tuple[str, ...] = ()
    refuse: Callable[[], None] = lambda: None


def exports(options: OutputOptions) -> Mapping[str, Export]:
    """The formats by their names."""
    geojson = CellsGeoJson(options.geometry, options.origin, options.gzip)
    to_parquet = partial(write_parquet, origin=options.origin)
    return {
        "parquet": Export(names.CELLS_PARQUET, to_parquet, options=("origin",)),
        "csv": Export(names.CELLS_CSV, write_csv),
        "geojson": Export(geojson.name, geojson.write_cells, options=("geometry", "origin", "gzip")),
        "anndata": Export(names.CELLS_ANNDATA, write_anndata, refuse=refuse_without_anndata),
    }
