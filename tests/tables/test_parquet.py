"""cells.parquet, read back by pyarrow and pandas; its geometry by shapely, its metadata against GeoParquet 1.1."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import shapely
from pyarrow import parquet

from tests.tables.made import IN_REGIONS, MPP, X, Y, four_cells, many_cells, no_cells
from wsi_edt.errors import OutputError
from wsi_edt.qupath.dialect import Origin
from wsi_edt.tables.columns import ROWS
from wsi_edt.tables.parquet import write_parquet


def metadata(path: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(parquet.read_schema(path).metadata[name.encode()])
    return found


def test_columns_and_types(tmp_path: Path) -> None:
    path = tmp_path / "a/cells.parquet"
    write_parquet(path, four_cells())
    table = parquet.read_table(path)
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds == {
        "x": "double",
        "y": "double",
        "x_um": "double",
        "y_um": "double",
        "class": "dictionary<values=string, indices=int8, ordered=0>",
        "score": "float",
        "haematoxylin_od": "float",
        "dab_od": "float",
        "regions": "list<element: string>",
        "geometry": "binary",
    }
    columns = table.to_pydict()
    assert columns["x"] == list(X) and columns["y"] == list(Y)
    assert columns["x_um"] == [x * MPP for x in X] and columns["y_um"] == [y * MPP for y in Y]
    assert columns["class"] == ["Positive", "Negative", "Nucleus", "Positive"]
    assert columns["score"] == pytest.approx([0.9, 0.5, 0.75, 0.6])
    assert columns["haematoxylin_od"] == [0.5, None, 0.25, 0.125]
    assert columns["dab_od"] == [0.75, None, 0.0, 0.0625]
    assert columns["regions"] == IN_REGIONS


@pytest.mark.parametrize(("origin", "corner"), [("qupath", (4, 2)), ("openslide", (0, 0))])
def test_the_geometry_lies_where_its_origin_says(
    tmp_path: Path, origin: Origin, corner: tuple[int, int]
) -> None:
    path = tmp_path / "cells.parquet"
    write_parquet(path, four_cells(), origin=origin)
    points = shapely.from_wkb(parquet.read_table(path)["geometry"].to_pylist())
    assert [point.geom_type for point in points] == ["Point"] * 4
    expected = np.array([X, Y]).T - corner
    assert shapely.get_coordinates(points).tolist() == expected.tolist()
    geometry = metadata(path, "geo")["columns"]["geometry"]
    assert geometry["bbox"] == [10.5 - corner[0], 5.5 - corner[1], 90.25 - corner[0], 60.0 - corner[1]]
    ours = metadata(path, "wsi_edt")
    assert ours["geometry_corner_l0_px"] == list(corner)
    assert ours["geometry_frame"].startswith("px as QuPath" if origin == "qupath" else "level-0 px")


def test_metadata_is_what_geoparquet_1_1_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    write_parquet(path, four_cells())
    geo = metadata(path, "geo")
    # https://geoparquet.org/releases/v1.1.0/: what is required, and of the rest only what it names.
    assert geo["version"] == "1.1.0" and geo["primary_column"] in geo["columns"]
    (column,) = geo["columns"].values()
    assert column["encoding"] == "WKB" and column["geometry_types"] == ["Point"]
    assert set(column) <= {
        "encoding",
        "geometry_types",
        "crs",
        "edges",
        "orientation",
        "bbox",
        "epoch",
        "covering",
    }
    assert "crs" in column and column["crs"] is None  # without the key it would be longitude and latitude
    # The geometry is a BYTE_ARRAY at the root of the schema, neither repeated nor nested.
    file = parquet.ParquetFile(path)
    (stored,) = (one for one in map(file.schema.column, range(len(file.schema))) if one.name == "geometry")
    assert (stored.path, stored.physical_type, stored.max_repetition_level) == ("geometry", "BYTE_ARRAY", 0)


def test_what_the_cells_are_of_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    write_parquet(path, four_cells())
    ours = metadata(path, "wsi_edt")
    assert (ours["slide"], ours["slide_mpp"], ours["model"]) == ("ward/a µ.svs", 0.5, "ki67-w18 1.0")
    assert ours["provenance"]["model_sha256"] == "a" * 64


def test_pandas_reads_it(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "cells.parquet"
    write_parquet(path, four_cells())
    frame = pandas.read_parquet(path)
    assert frame.groupby("class", observed=True).size().to_dict() == {
        "Negative": 1,
        "Positive": 2,
        "Nucleus": 1,
    }
    assert frame.loc[frame["class"] == "Positive", "dab_od"].tolist() == [0.75, 0.0625]
    assert frame["dab_od"].isna().tolist() == [False, True, False, False]
    assert [list(names) for names in frame["regions"]] == IN_REGIONS


@pytest.mark.parametrize("found", [no_cells(), four_cells(measured=False, regions=False)])
def test_nothing_measured_and_nothing_found_have_the_same_columns(tmp_path: Path, found: Any) -> None:
    full, path = tmp_path / "full.parquet", tmp_path / "cells.parquet"
    write_parquet(full, four_cells())
    write_parquet(path, found)
    table = parquet.read_table(path)
    assert table.schema.equals(parquet.read_schema(full))
    assert table.num_rows == len(found.cells)
    assert table["dab_od"].null_count == table["haematoxylin_od"].null_count == table.num_rows
    assert table["regions"].to_pylist() == [[]] * table.num_rows
    assert ("bbox" in metadata(path, "geo")["columns"]["geometry"]) == (table.num_rows > 0)


def test_row_groups_hold_the_cells_in_their_order_and_the_bytes_are_the_same(tmp_path: Path) -> None:
    found = many_cells(2 * ROWS + 1)
    paths = [tmp_path / name for name in ("one.parquet", "two.parquet")]
    for path in paths:
        write_parquet(path, found)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    file = parquet.ParquetFile(paths[0])
    groups = [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
    assert groups == [ROWS, ROWS, 1]
    table = file.read()
    assert table["x"].to_numpy().tolist() == found.cells.x.tolist()
    assert table["y"].to_numpy().tolist() == found.cells.y.tolist()
    assert np.array_equal(table["score"].to_numpy(), found.cells.score)
    assert found.cells.dab_od is not None and np.array_equal(table["dab_od"].to_numpy(), found.cells.dab_od)
    # Readers skip row groups that hold nothing of a window: y grows from one to the next.
    statistics = [file.metadata.row_group(k).column(1).statistics for k in range(3)]
    assert [(one.min, one.max) for one in statistics] == [(0.5, 131.5), (131.5, 262.5), (262.5, 262.5)]


def test_memory_does_not_grow_with_the_cells(tmp_path: Path) -> None:
    peaks = []
    write_parquet(tmp_path / "cells.parquet", many_cells(1000))  # loads pyarrow
    for groups in (2, 6):
        found = many_cells(groups * ROWS)
        tracemalloc.start()
        before = pyarrow.default_memory_pool().max_memory()
        write_parquet(tmp_path / "cells.parquet", found)
        ours = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        peaks.append(ours + pyarrow.default_memory_pool().max_memory() - before)
    assert peaks[1] < peaks[0] + 16 * 4 * ROWS, peaks  # a bounding box takes two coordinates of each cell


def test_a_refused_place_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "cells.parquet").mkdir()
    with pytest.raises(OutputError, match=r"cells\.parquet can't be written"):
        write_parquet(tmp_path / "cells.parquet", four_cells())
    assert [path.name for path in tmp_path.iterdir()] == ["cells.parquet"]
