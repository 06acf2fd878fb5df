"""summary.csv: a row per slide, whether it went well or not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from wsi_edt.files import write_atomically
from wsi_edt.ki67.result import SlideResult


class Status(StrEnum):
    """How a slide ended."""

    DONE = "done"
    NOT_ASSESSABLE = "not assessable"  # scored, but without an index; the row says why
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One slide in summary.csv: the fields are its columns, in this order; None is an empty cell."""

    slide: str
    status: Status
    index_percent: float | None = None
    positive: int | None = None
    negative: int | None = None
    unclassified: int | None = None
    total: int | None = None
    few_cells: bool | None = None
    area_mm2: float | None = None
    cells_per_mm2: float | None = None
    staining: str | None = None
    mpp: float | None = None
    seconds: float | None = None
    model: str | None = None
    reason: str | None = None  # why there is no index
    error: str | None = None  # why there is no result

    @classmethod
    def from_result(cls, result: SlideResult, *, seconds: float | None) -> SummaryRow:
        """Return the row of a slide that was scored in so many seconds (None where that isn't known)."""
        score = result.score
        return cls(
            slide=result.slide,
            status=Status.DONE if score.assessable else Status.NOT_ASSESSABLE,
            index_percent=score.index_percent,
            positive=score.positive,
            negative=score.negative,
            unclassified=score.unclassified,
            total=score.total,
            few_cells=score.few_cells,
            area_mm2=score.area_mm2,
            cells_per_mm2=score.cells_per_mm2,
            staining=result.staining,
            mpp=result.mpp,
            seconds=seconds,
            model=result.model,
            reason=score.reason,
        )

    @classmethod
    def failed(cls, slide: str, error: str, *, seconds: float | None, model: str) -> SummaryRow:
        """Return the row of a slide that could not be scored; `error` is one sentence."""
        return cls(slide=slide, status=Status.FAILED, seconds=seconds, model=model, error=error)


# Digits after the point: an index to 0.01 points, an area to 100 µm².
_DIGITS = {"index_percent": 2, "area_mm2": 4, "cells_per_mm2": 1, "mpp": 5, "seconds": 1}


def write_summary(path: Path, rows: Iterable[SummaryRow]) -> None:
    """Write summary.csv, atomically: a header, then a row per slide in the order given; UTF-8."""
    columns = [field.name for field in fields(SummaryRow)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(column, getattr(row, column)) for column in columns] for row in rows)
    write_atomically(path, text.getvalue().encode())


def _cell(column: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{_DIGITS[column]}f}"
    return str(value)
