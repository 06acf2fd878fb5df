"""Slides that failed in their run, as the summary of a results folder lists them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names


def failed_slides(folder: Path) -> tuple[Path, tuple[SummaryRow, ...]]:
    """The rows of failed slides in a results folder, in a folder in it, or of the slide that has its results in `folder`.

    Returns
    -------
    The results folder, which is the first at or above `folder` that lists such slides, and their rows, by name; `folder`
    itself and none if no such folder does.
    """
    for root in (folder, *folder.parents):
        below = folder.relative_to(root).as_posix()
        rows = [
            row
            for row in _failed_rows(root)
            if below in (".", row.slide) or row.slide.startswith(f"{below}/")
        ]
        if rows:
            return root, tuple(sorted(rows, key=lambda row: row.slide))
    return folder, ()


def listed_rows(root: Path) -> tuple[Mapping[str, str], ...]:
    """The rows of summary.csv, by column; none if somebody removed it, or wrote something else there."""
    try:
        with (root / names.SUMMARY).open(encoding="utf-8", newline="") as file:
            return tuple(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return ()


def _failed_rows(root: Path) -> list[SummaryRow]:
    """The failed slides that summary.csv in a folder lists."""
    rows = [SummaryRow.failed_in(columns) for columns in listed_rows(root)]
    return [row for row in rows if row is not None]
