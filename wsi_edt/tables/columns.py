"""The columns of a cell, as Arrow has them: some rows at a time, so that memory stays small whatever the slide's size.

| column | type | |
|---|---|---|
| x, y | float64 | level-0 px; the centre of the first px is (0.5, 0.5) |
| x_um, y_um | float64 | the same in µm |
| class | dictionary of strings | Negative, Positive, Nucleus |
| score | float32 | the network's |
| haematoxylin_od, dab_od | float32 | mean optical densities in a disc of 2 µm radius; null where they weren't measured |
| regions | list of strings | names of the drawn regions that the cell lies in, in the file's order |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass, Cells
from wsi_edt.ki67.drawn import DrawnArea, cells_in, drawn_areas
from wsi_edt.ki67.findings import SlideFindings

if TYPE_CHECKING:
    import pyarrow

ROWS: Final = 1 << 17  # at a time: 10 MB, and a row group of Parquet as its readers like them
DENSITIES: Final = ("haematoxylin_od", "dab_od")
_BETWEEN_REGIONS = "; "  # where they are one text

FloatArray = npt.NDArray[np.float32]


def schema() -> pyarrow.Schema:
    """Names and types of the columns, in their order."""
    import pyarrow

    return pyarrow.schema(
        [
            pyarrow.field("x", pyarrow.float64(), nullable=False),
            pyarrow.field("y", pyarrow.float64(), nullable=False),
            pyarrow.field("x_um", pyarrow.float64(), nullable=False),
            pyarrow.field("y_um", pyarrow.float64(), nullable=False),
            pyarrow.field("class", pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), nullable=False),
            pyarrow.field("score", pyarrow.float32(), nullable=False),
            *(pyarrow.field(name, pyarrow.float32()) for name in DENSITIES),
            pyarrow.field("regions", pyarrow.list_(pyarrow.string()), nullable=False),
        ]
    )


def batches(findings: SlideFindings, *, rows: int = ROWS) -> Iterator[pyarrow.RecordBatch]:
    """The cells in their order, `rows` at a time; none of a slide without cells."""
    import pyarrow

    columns, areas = schema(), drawn_areas(findings.regions)
    for start in range(0, len(findings.cells), rows):
        cells = findings.cells.select(np.arange(start, min(start + rows, len(findings.cells))))
        um = findings.scale.slide_mpp
        yield pyarrow.record_batch(
            [
                cells.x,
                cells.y,
                cells.x * um,
                cells.y * um,
                _classes(cells.class_id),
                cells.score,
                *(_density(cells, name) for name in DENSITIES),
                _names_of_regions(cells, areas),
            ],
            schema=columns,
        )


def joined_names(regions: pyarrow.ListArray) -> pyarrow.StringArray:
    """The names of each cell's regions as one text, for formats without lists."""
    from pyarrow import compute

    return compute.binary_join(regions, _BETWEEN_REGIONS)


def _classes(class_id: npt.NDArray[np.uint8]) -> pyarrow.DictionaryArray:
    import pyarrow

    labels = [kind.label for kind in CellClass]
    return pyarrow.DictionaryArray.from_arrays(class_id.astype(np.int8), pyarrow.array(labels))


def _density(cells: Cells, name: str) -> pyarrow.Array:
    """A stain's densities; null if nobody measured, or not at that cell (NaN)."""
    import pyarrow

    density: FloatArray | None = getattr(cells, name)
    if density is None:
        return pyarrow.nulls(len(cells), pyarrow.float32())
    return pyarrow.array(density, mask=np.isnan(density))


def _names_of_regions(cells: Cells, areas: Sequence[DrawnArea]) -> pyarrow.ListArray:
    """The names of the areas that each cell lies in, in their order."""
    import pyarrow

    inside = [cells_in(area.shape, cells) for area in areas]
    cell = np.concatenate([np.zeros(0, np.int64), *inside])
    area = np.repeat(np.arange(len(areas)), [len(found) for found in inside])
    by_cell = np.argsort(cell, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=len(cells)))]).astype(np.int32)
    names = pyarrow.array([area.name for area in areas], pyarrow.string())
    return pyarrow.ListArray.from_arrays(offsets, names.take(pyarrow.array(area[by_cell])))
