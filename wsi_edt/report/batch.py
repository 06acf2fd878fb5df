"""The batch's page: all slides at a glance, which opens offline. Its script only sorts and filters what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from wsi_edt.ki67 import NUMBERS, Conventions
from wsi_edt.report.rows import Status, SummaryRow
from wsi_edt.report.scatter import axis_upper, scatter_of
from wsi_edt.report.templating import render

_ORDER = (Status.FAILED, Status.NOT_ASSESSABLE, Status.DONE)  # what needs somebody comes first
_LEAST_POINTS = 2
_COLUMNS = ("total", "positive", "area_mm2", "cells_per_mm2")


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
    cutoffs = conventions.profile.cutoffs_percent
    stainings = {row.staining for row in rows if row.staining}
    return render(
        "batch.html",
        rows=sorted(rows, key=lambda row: _ORDER.index(row.status)),
        columns=[number for name in _COLUMNS for number in NUMBERS if number.name == name],
        model=model,
        counts=counts,
        slides=slides,
        with_cases=any(row.case for row in rows),
        with_verdicts=any(row.verdict for row in rows),
        with_intervals=any(row.whole is not None and row.whole.index_interval is not None for row in rows),
        with_hotspots=any(row.hotspot_percent is not None for row in rows),
        with_stainings=len(stainings) > 1,
        staining=next(iter(stainings), ""),
        Status=Status,
        how_many={status: statuses.count(status) for status in Status},
        conventions=conventions,
        by_other_rules=_by_other_rules(rows, conventions),
        cutoffs=cutoffs,
        upper=axis_upper(rows, cutoffs),
        # One point alone is compared with nothing.
        plot=scatter_of(rows, cutoffs_percent=cutoffs, least_cells=conventions.least_cells)
        if sum(row.index_percent is not None for row in rows) >= _LEAST_POINTS
        else None,
        summary=summary,
        report=report,
    )


def _by_other_rules(rows: Sequence[SummaryRow], conventions: Conventions) -> int:
    """How many slides were reported by other rules than the page's, or by other areas or thresholds than most are."""
    told = [row for row in rows if row.conventions is not None]
    ways = [(row.conventions, _reported_of(row), _threshold_of(row)) for row in told]
    if not ways:
        return 0
    usual = Counter((area, threshold) for _, area, threshold in ways).most_common(1)[0][0]
    return sum((rules, area, threshold) != (conventions, *usual) for rules, area, threshold in ways)


def _reported_of(row: SummaryRow) -> str | None:
    """What of the slide is reported: its tissue or its regions."""
    return None if row.whole is None else row.whole.kind


def _threshold_of(row: SummaryRow) -> float | None:
    return None if row.counted_by is None else row.counted_by.threshold
