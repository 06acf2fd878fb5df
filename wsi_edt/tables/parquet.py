"""cells.parquet: the cells as GeoParquet 1.1, which pandas, GeoPandas, R, DuckDB and QGIS read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from wsi_edt.errors import readable
from wsi_edt.files import atomic_write
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.qupath.dialect import Origin, shown_corner
from wsi_edt.tables.columns import batches, schema

if TYPE_CHECKING:
    import pyarrow

GEOMETRY: Final = "geometry"
_VERSION = "1.1.0"  # of GeoParquet
_FEW_VALUES = ["class", "regions.list.element"]
_LITTLE_ENDIAN, _POINT = 1, 1  # of WKB
# A point: byte order, type, x and y.
_WKB = np.dtype([("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")])
_FRAMES = {
    "qupath": "px as QuPath shows them: level-0 px from the corner of the slide's bounds",
    "openslide": "level-0 px",
}


def write_parquet(path: Path, findings: SlideFindings, *, origin: Origin = "qupath") -> None:
    """Write the cells atomically, in row groups, so that memory doesn't grow with the slide: `columns`, and their geometry.

    Parameters
    ----------
    origin : of the geometry, as in cells.geojson; the columns x and y are level-0 px whatever it is

    Raises
    ------
    OutputError
        If the file can't be written.
    """
    from pyarrow import parquet

    corner = shown_corner(findings.bounds, origin)
    columns = _schema(findings, corner, origin)
    measured = [name for name in columns.names if name != GEOMETRY]
    with (
        atomic_write(path) as file,
        parquet.ParquetWriter(
            file, columns, compression="zstd", use_dictionary=_FEW_VALUES, write_statistics=measured
        ) as writer,
    ):
        for batch in batches(findings):
            arrays = [*batch.columns, _points(batch, corner)]
            writer.write_batch(type(batch).from_arrays(arrays, schema=columns))


def _schema(findings: SlideFindings, corner: tuple[float, float], origin: Origin) -> pyarrow.Schema:
    """The columns with GeoParquet's metadata and, under `wsi_edt`, what the cells are of."""
    import pyarrow

    geo = {
        "version": _VERSION,
        "primary_column": GEOMETRY,
        "columns": {GEOMETRY: _described(findings, corner)},
    }
    ours = {
        "slide": readable(findings.slide),
        "slide_mpp": findings.scale.slide_mpp,
        "mpp_stated": findings.mpp_stated,
        "model": findings.counted_by.model,
        "what_is_counted": findings.counted_by.sentence,
        "provenance": None if findings.provenance is None else asdict(findings.provenance),
        "geometry_frame": _FRAMES[origin],
        "geometry_corner_l0_px": corner,
    }
    texts = {name: json.dumps(fields).encode() for name, fields in (("geo", geo), ("wsi_edt", ours))}
    geometry = pyarrow.field(GEOMETRY, pyarrow.binary(), nullable=False)
    return schema().append(geometry).with_metadata(texts)


def _described(findings: SlideFindings, corner: tuple[float, float]) -> dict[str, object]:
    """What GeoParquet says of a geometry column. A slide lies nowhere on Earth: it has no CRS."""
    fields: dict[str, object] = {"encoding": "WKB", "geometry_types": ["Point"], "crs": None}
    x, y = findings.cells.x - corner[0], findings.cells.y - corner[1]
    if len(x):
        fields["bbox"] = [float(edge) for edge in (x.min(), y.min(), x.max(), y.max())]
    return fields


def _points(batch: pyarrow.RecordBatch, corner: tuple[float, float]) -> pyarrow.BinaryArray:
    """The cells' places as WKB points."""
    import pyarrow

    points = np.empty(batch.num_rows, _WKB)
    points["order"], points["kind"] = _LITTLE_ENDIAN, _POINT
    points["x"] = batch.column("x").to_numpy() - corner[0]
    points["y"] = batch.column("y").to_numpy() - corner[1]
    offsets = np.arange(batch.num_rows + 1, dtype=np.int32) * _WKB.itemsize
    buffers = [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(points)]
    return pyarrow.BinaryArray.from_buffers(pyarrow.binary(), batch.num_rows, buffers)
