"""The rows of a results folder's slides as they stand in its summary.csv, where only some slides are reported again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from wsi_edt.errors import OutputError
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.outputs import read_ki67
from wsi_edt.run.stored import StoredResults
from wsi_edt.tables.harmless import as_it_was


def failed_earlier(before: Sequence[Mapping[str, str]], again: Set[str]) -> Iterator[SummaryRow]:
    """The rows of slides and folders that have failed, and aren't among those that are reported now."""
    for columns in before:
        row = SummaryRow.failed_in(columns)
        if row is not None and row.slide not in again:
            yield row


def other_rows(
    whole: StoredResults, found: StoredResults, before: Sequence[Mapping[str, str]]
) -> Iterator[SummaryRow]:
    """The rows of slides that aren't reported again and haven't failed, as they were reported last."""
    left = {name for name, _ in found.faults} | {slide.name for slide in found.slides}
    remarks = {as_it_was(row.get("slide") or ""): as_it_was(row.get("error") or "") for row in before}
    left |= {row.slide for row in failed_earlier(before, frozenset())}
    for slide in whole.slides:
        if slide.name in left:
            continue
        try:
            result = read_ki67(slide.folder / names.KI67)
        except OutputError as error:
            yield SummaryRow.failed(slide.name, error.sentence(), model=slide.seen.counted_by.model)
        else:
            row = SummaryRow.from_result(result, seconds=slide.mark.seconds)
            yield replace(row, error=remarks.get(slide.name) or None)
    for name, fault in whole.faults:
        if name not in left:
            yield SummaryRow.failed(name, fault.sentence(), model=found.slides[0].seen.counted_by.model)
