"""summary.csv."""

from __future__ import annotations

import csv
from pathlib import Path

from wsi_edt.ki67.index import Ki67Score
from wsi_edt.ki67.result import SlideResult
from wsi_edt.report.rows import SummaryRow, write_summary

HEADER = (
    "slide,status,index_percent,positive,negative,unclassified,total,few_cells,area_mm2,cells_per_mm2,"
    "staining,mpp,seconds,model,reason,error"
)


def result(slide: str, score: Ki67Score) -> SlideResult:
    return SlideResult(slide, score, "haematoxylin and DAB", 0.25, True, "m 1")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rows_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    rows = [
        SummaryRow.from_result(result("a.svs", Ki67Score(150, 450, 0, 0.25, None)), seconds=12.34),
        SummaryRow.from_result(result("b.svs", Ki67Score(0, 0, 0, 0.0, "no cells")), seconds=None),
        SummaryRow.failed("c, d.svs", 'c, d.svs has no µm/px; "pass" --mpp\n', seconds=0.5, model="m 1"),
    ]
    write_summary(path, rows)
    done, empty, failed = read(path)
    assert path.read_text(encoding="utf-8").splitlines()[0] == HEADER
    assert done == {
        **dict.fromkeys(HEADER.split(","), ""),
        "slide": "a.svs",
        "status": "done",
        "index_percent": "25.00",
        "positive": "150",
        "negative": "450",
        "unclassified": "0",
        "total": "600",
        "few_cells": "no",
        "area_mm2": "0.2500",
        "cells_per_mm2": "2400.0",
        "staining": "haematoxylin and DAB",
        "mpp": "0.25000",
        "seconds": "12.3",
        "model": "m 1",
    }
    assert empty["status"] == "not assessable"
    assert empty["index_percent"] == ""
    assert empty["reason"] == "no cells"
    assert empty["seconds"] == ""
    assert failed["status"] == "failed"
    assert failed["slide"] == "c, d.svs"
    assert failed["error"] == 'c, d.svs has no µm/px; "pass" --mpp\n'
    assert failed["positive"] == ""


def test_no_rows_is_a_header(tmp_path: Path) -> None:
    write_summary(tmp_path / "summary.csv", [])
    assert (tmp_path / "summary.csv").read_text() == HEADER + "\n"
