"""cells.csv, read back by Python's own reader."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from tests.tables.made import four_cells, many_cells, no_cells
from wsi_edt.geometry import Scale
from wsi_edt.tables.columns import ROWS
from wsi_edt.tables.csv import write_csv

HEADER = ["x", "y", "x_um", "y_um", "class", "score", "haematoxylin_od", "dab_od", "regions"]


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_row_for_each_cell(tmp_path: Path) -> None:
    path = tmp_path / "a/cells.csv"
    write_csv(path, four_cells())
    assert rows(path) == [
        HEADER,
        ["10.5", "5.5", "5.25", "2.75", "Positive", "0.9", "0.5", "0.75", "Tumour"],
        ["30.5", "5.5", "15.25", "2.75", "Negative", "0.5", "", "", "'=hot, µ"],
        ["20", "20", "10", "10", "Nucleus", "0.75", "0.25", "0", "Tumour; =hot, µ"],
        ["90.25", "60", "45.125", "30", "Positive", "0.6", "0.125", "0.0625", ""],
    ]
    assert b"\r" not in path.read_bytes() and not path.read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_slide_without_cells_has_the_header(tmp_path: Path) -> None:
    write_csv(tmp_path / "cells.csv", no_cells())
    assert rows(tmp_path / "cells.csv") == [HEADER]


def test_values_come_back_exactly_and_the_bytes_are_the_same(tmp_path: Path) -> None:
    found = many_cells(ROWS + 1)
    paths = [tmp_path / name for name in ("one.csv", "two.csv")]
    for path in paths:
        write_csv(path, found)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    read = rows(paths[0])[1:]
    assert len(read) == ROWS + 1
    for row, score, dab in list(
        zip(read, found.cells.score.tolist(), found.cells.dab_od.tolist(), strict=True)  # type: ignore[union-attr]
    )[::1000]:
        assert abs(float(row[5]) - score) < 1e-7 and abs(float(row[7]) - dab) < 1e-7


def test_places_have_no_more_digits_than_they_mean(tmp_path: Path) -> None:
    found = four_cells()
    write_csv(tmp_path / "cells.csv", replace(found, scale=Scale(0.3, 0.3125)))
    # 5.5 × 0.3 is 1.6500000000000001 as a float.
    assert [row[3] for row in rows(tmp_path / "cells.csv")[1:]] == ["1.65", "1.65", "6", "18"]
