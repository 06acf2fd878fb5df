"""The batch's own files: summary.csv and report.html, which tell of each slide as soon as it has ended."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wsi_edt.files import write_atomically
from wsi_edt.ki67 import Conventions, CountedBy
from wsi_edt.report.batch import batch_page
from wsi_edt.report.rows import COLUMNS, SummaryRow
from wsi_edt.results import names


@dataclass(slots=True)
class BatchFiles:
    """Both files of one run.

    Attributes
    ----------
    folder : the results folder
    slides : names of the batch's slides, in the order of the rows
    cases : what slides belong to, by their names, where somebody said it
    rows : of the slides that have ended
    """

    folder: Path
    slides: Sequence[str]
    counted_by: CountedBy
    conventions: Conventions
    cases: Mapping[str, str] = field(default_factory=dict)
    rows: dict[str, SummaryRow] = field(init=False, default_factory=dict)
    _next: float = field(init=False, default=0.0)

    def take(self, row: SummaryRow) -> SummaryRow:
        """Take a slide's row, once it is known that it can be written: else it would spoil those of all slides."""
        self._written((row,))
        self.rows[row.slide] = row
        return row

    def write_now_and_then(self) -> None:
        """Write both files, unless that would take more than a tenth of the run's time.

        Raises
        ------
        OutputError
            If the system refuses.
        """
        started = time.monotonic()
        if started >= self._next:
            self.write()
            self._next = time.monotonic() + 9 * (time.monotonic() - started)

    def write(self) -> tuple[SummaryRow, ...]:
        """Write both files; return the rows that there are, in the slides' order.

        Raises
        ------
        OutputError
            If the system refuses.
        """
        rows = tuple(
            replace(self.rows[slide], case=self.cases.get(slide, ""))
            for slide in self.slides
            if slide in self.rows
        )
        table, page = self._written(rows)
        write_atomically(self.folder / names.SUMMARY, table)
        write_atomically(self.folder / names.BATCH_REPORT, page)
        return rows

    def _written(self, rows: Sequence[SummaryRow]) -> tuple[bytes, bytes]:
        """The content of both files."""
        page = batch_page(
            rows,
            model=self.counted_by.model,
            counts=self.counted_by.sentence,
            slides=len(self.slides),
            conventions=self.conventions,
            summary=names.SUMMARY,
            report=names.REPORT,
        )
        return summary_table(rows), _encoded(page)


def summary_table(rows: Iterable[SummaryRow]) -> bytes:
    """The content of summary.csv: a header, then a row per slide in the order given; UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.columns() for row in rows)
    return _encoded(text.getvalue())


def _encoded(text: str) -> bytes:
    """UTF-8; what is no letter (half of a pair, as JSON may name a region) stands as an escape."""
    return text.encode(errors="backslashreplace")
