"""cells.csv: a row for each cell, UTF-8, with decimal points."""

from __future__ import annotations

from pathlib import Path

from wsi_edt.files import atomic_write
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.tables.columns import batches, joined_names, schema
from wsi_edt.tables.harmless import harmless

_PLACES = ("x", "y", "x_um", "y_um")
_DECIMALS = 3  # a thousandth of a px; where none is meant, seventeen digits would stand


def write_csv(path: Path, findings: SlideFindings) -> None:
    """Write the cells atomically and in constant memory: `columns`, with the names of regions as one text.

    Places are rounded to three decimals; what wasn't measured is empty; a text that spreadsheets would take for a formula
    stands behind an apostrophe.

    Raises
    ------
    OutputError
        If the file can't be written.
    """
    import pyarrow
    from pyarrow import compute, csv

    as_text = {"class", "regions"}
    columns = pyarrow.schema(
        [field.with_type(pyarrow.string()) if field.name in as_text else field for field in schema()]
    )
    with atomic_write(path) as file, csv.CSVWriter(file, columns) as writer:
        for batch in batches(findings):
            arrays = dict(zip(columns.names, batch.columns, strict=True))
            for place in _PLACES:
                arrays[place] = compute.round(arrays[place], _DECIMALS)
            arrays["class"] = arrays["class"].cast(pyarrow.string())
            texts = joined_names(arrays["regions"]).dictionary_encode()  # few differ
            different = [harmless(text) for text in texts.dictionary.to_pylist()]
            arrays["regions"] = pyarrow.array(different, pyarrow.string()).take(texts.indices)
            writer.write_batch(pyarrow.record_batch(list(arrays.values()), schema=columns))
