"""A slide's row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.ki67.made import result
from wsi_edt.report.rows import COLUMNS, Status, SummaryRow

HEADER = (
    "slide,case,status,index_percent,index_low_percent,index_high_percent,blocks,block_mm,positive,negative,unclassified,total,"
    "few_cells,area_mm2,cells_per_mm2,staining,quality,mpp,seconds,model,reason,regions,error"
)


def test_the_columns() -> None:
    assert ",".join(COLUMNS) == HEADER


def test_rows_of_every_kind() -> None:
    done = SummaryRow.from_result(result(150, 450, mm2=0.25, slide="a.svs"), seconds=12.34)
    assert done.columns() == {
        "slide": "a.svs",
        "case": "",
        "status": "done",
        "index_percent": "25.00",
        "index_low_percent": "",
        "index_high_percent": "",
        "blocks": "",
        "block_mm": "",
        "positive": "150",
        "negative": "450",
        "unclassified": "0",
        "total": "600",
        "few_cells": "no",
        "area_mm2": "0.2500",
        "cells_per_mm2": "2400.0",
        "staining": "haematoxylin and DAB",
        "quality": "",
        "regions": "",
        "mpp": "0.25000",
        "seconds": "12.3",
        "model": "ki67-w18 1.0",
        "reason": "",
        "error": "",
    }
    empty = SummaryRow.from_result(result(mm2=0.0, slide="b.svs"), seconds=None).columns()
    assert empty["status"] == "not assessable"
    assert empty["index_percent"] == empty["cells_per_mm2"] == empty["seconds"] == ""
    assert (empty["total"], empty["reason"]) == ("0", "no tissue")
    failed = SummaryRow.failed("c.svs", "c.svs has no µm/px", model="m 1")
    assert failed.status is Status.FAILED
    assert (failed.index_percent, failed.total, failed.reason) == (None, None, None)
    assert failed.columns() == {
        **dict.fromkeys(COLUMNS, ""),
        "slide": "c.svs",
        "status": "failed",
        "model": "m 1",
        "error": "c.svs has no µm/px",
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_spreadsheets_execute_nothing(start: str) -> None:
    """A file may be called =cmd|' /c calc'!A1.svs, and its row opens in a spreadsheet."""
    hostile = f"{start}cmd|' /c calc'!A1"
    row = replace(SummaryRow.failed(hostile, f"{hostile} is empty", model="m 1"), case=hostile).columns()
    assert (row["slide"], row["case"], row["error"]) == (
        f"'{hostile}",
        f"'{hostile}",
        f"'{hostile} is empty",
    )
    assert SummaryRow.failed(f"deep/{hostile}", "", model="m").columns()["slide"] == f"deep/{hostile}"
