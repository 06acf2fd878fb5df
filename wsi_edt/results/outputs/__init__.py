"""What a finished slide leaves in its folder: one ordered tuple. A new output is a file beside these and a line below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from wsi_edt import files
from wsi_edt.errors import UsageError
from wsi_edt.qupath.dialect import Geometry, Origin
from wsi_edt.results import names
from wsi_edt.results.outputs.cells_geojson import CellsGeoJson
from wsi_edt.results.outputs.cells_parquet import CellsParquet
from wsi_edt.results.outputs.ki67_json import Ki67Json, read_ki67
from wsi_edt.results.outputs.output import Output
from wsi_edt.results.outputs.overview import Overview
from wsi_edt.results.outputs.regions_csv import RegionsCsv
from wsi_edt.results.outputs.slide_pdf import SlidePdf
from wsi_edt.results.outputs.slide_report import SlideReport

__all__ = [
    "OF_CELLS_ALONE",
    "OF_SLIDE",
    "Output",
    "OutputOptions",
    "outputs",
    "read_ki67",
    "remove_results",
    "result_names",
]

# What other conventions leave as it is; and what can't be made without the slide.
OF_CELLS_ALONE = frozenset({names.CELLS, names.CELLS_GZIPPED, names.OVERVIEW})
OF_SLIDE = frozenset({names.OVERVIEW})

# Beside what outputs write: drawn when a slide is planned, since its picture is too large to be kept until the end; and
# the details of a failure.
_PLANNED = (names.TISSUE,)
_FAILED = (names.ERROR_LOG,)
# What a run writes only if asked, or what was exported later: it is of the cells that were there then.
_ASKED_FOR = (names.CELLS_PARQUET, names.CELLS_CSV, names.CELLS_ANNDATA, names.REPORT_PDF)


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How files are written: what is changed here changes no cell.

    Attributes
    ----------
    geometry : how QuPath draws a cell: "point", or "circle" of 6 µm
    origin : of coordinates: "qupath" as QuPath shows them, "openslide" as level 0 has them
    gzip : whether the cells' file is compressed
    parquet : whether the cells are also written as a table
    pdf : whether the report is also written as it is printed
    """

    geometry: Geometry = "point"
    origin: Origin = "qupath"
    gzip: bool = False
    parquet: bool = False
    pdf: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("geometry", self.geometry, get_args(Geometry)),
            ("origin", self.origin, get_args(Origin)),
        ):
            if value not in known:
                raise UsageError(f"there is no {name} {value!r}", remedy=f"choose {' or '.join(known)}")

    def to_json(self) -> dict[str, object]:
        """The options as JSON values: a finished slide that was written otherwise is written again from its store."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields_there: Mapping[str, object]) -> OutputOptions:
        """The options among these fields, as `to_json` gave them; KeyError if one is missing."""
        values: dict[str, Any] = {field.name: fields_there[field.name] for field in fields(cls)}
        return cls(**values)


def outputs(options: OutputOptions) -> tuple[Output, ...]:
    """The outputs of each slide, in the order in which they are written."""
    cells = CellsGeoJson(options.geometry, options.origin, options.gzip)
    overview = Overview()
    report = SlideReport(cells=cells.name, overview=overview.name)
    return (
        cells,
        Ki67Json(),
        RegionsCsv(options.origin),
        overview,
        report,
        *((SlidePdf(report.name),) if options.pdf else ()),
        *((CellsParquet(options.origin),) if options.parquet else ()),
    )


def result_names(written: tuple[Output, ...]) -> tuple[str, ...]:
    """The names of all files that a finished slide has in its folder, beside its store."""
    return (*(output.name for output in written), *_PLANNED)


def remove_results(folder: Path, written: tuple[Output, ...], *, leave_new: bool = False) -> None:
    """Remove a slide's files but for its store, or with `leave_new` only what these outputs wouldn't write.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    for name in _stale(written) if leave_new else _all_names(written):
        files.remove(folder / name)


def _stale(written: tuple[Output, ...]) -> Iterator[str]:
    for output in written:
        yield from output.other_names
    yield from (name for name in _ASKED_FOR if name not in {output.name for output in written})
    yield from _FAILED


def _all_names(written: tuple[Output, ...]) -> Iterator[str]:
    yield from (output.name for output in written)
    yield from _PLANNED
    yield names.MAPS
    yield from _stale(written)
