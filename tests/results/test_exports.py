"""The formats of `wsi-edt export`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tables.made import many_cells
from wsi_edt.results.exports import exports
from wsi_edt.results.outputs import OutputOptions


@pytest.mark.parametrize("options", [OutputOptions(), OutputOptions("circle", "openslide", gzip=True)])
def test_each_format_writes_a_file_of_its_own(options: OutputOptions, tmp_path: Path) -> None:
    formats = exports(options)
    assert set(formats) == {"parquet", "csv", "geojson", "anndata"}
    for export in formats.values():
        export.refuse()
        export.write(tmp_path / export.name, many_cells(10))
        assert (tmp_path / export.name).stat().st_size > 0
    assert len(list(tmp_path.iterdir())) == len(formats)
