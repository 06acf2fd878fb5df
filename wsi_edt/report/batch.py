"""The batch's page: all slides at a glance, which opens offline."""

from __future__ import annotations

from collections.abc import Sequence

from wsi_edt.ki67 import NUMBERS, Conventions
from wsi_edt.report.rows import Status, SummaryRow
from wsi_edt.report.templating import render


def batch_page(
    rows: Sequence[SummaryRow],
    *,
    model: str,
    counts: str,
    slides: int,
    conventions: Conventions,
    summary: str,
    report: str,
) -> str:
    """The batch's page; it links to the page of each slide that has one.

    Parameters
    ----------
    rows : of the slides that have ended
    model, counts : the model's name, and a sentence on what it counts
    slides : how many the batch has
    summary, report : the names of the table beside the page, and of the page in each slide's folder
    """
    statuses = [row.status for row in rows]
    return render(
        "batch.html",
        rows=rows,
        columns=[number for number in NUMBERS if number.label and number.name != "unclassified"],
        model=model,
        counts=counts,
        slides=slides,
        with_cases=any(row.case for row in rows),
        Status=Status,
        how_many={status: statuses.count(status) for status in Status},
        least_cells=conventions.least_cells,
        summary=summary,
        report=report,
    )
