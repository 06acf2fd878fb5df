"""The cells of a slide as the page takes them: four arrays, one after the other, that a browser needn't parse."""

from __future__ import annotations

import numpy as np

from wsi_edt.cells import Cells
from wsi_edt.qupath.regions import BoolArray

UNCOUNTED = 4  # a kind beyond the classes


def packed(cells: Cells, counts: BoolArray | None = None) -> bytes:
    """N cells as bytes, little endian: uint32 N, then x, y and score as N float32 each, then N uint8 of the class.

    float32 holds a level-0 coordinate of 100,000 px to 0.008 px. The class of a cell that counts nowhere is `UNCOUNTED`.

    Parameters
    ----------
    counts : (N,) which count; None if all do
    """
    kinds = cells.class_id if counts is None else np.where(counts, cells.class_id, np.uint8(UNCOUNTED))
    columns = (cells.x, cells.y, cells.score)
    return b"".join(
        [
            np.array([len(cells)], "<u4").tobytes(),
            *(column.astype("<f4").tobytes() for column in columns),
            kinds.tobytes(),
        ]
    )
