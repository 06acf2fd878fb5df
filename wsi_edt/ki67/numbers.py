"""The numbers of an area, in the order in which files have them. A new one is a file beside these and a line here."""

from __future__ import annotations

from wsi_edt.ki67.few_cells import FEW_CELLS
from wsi_edt.ki67.index import INDEX
from wsi_edt.ki67.interval_numbers import BLOCK_MM, BLOCKS, INDEX_HIGH, INDEX_LOW
from wsi_edt.ki67.number import Number
from wsi_edt.ki67.size import AREA, DENSITY
from wsi_edt.ki67.strengths import H_SCORE, POSITIVE_DAB, STRENGTHS
from wsi_edt.ki67.tally import NEGATIVE, POSITIVE, TOTAL, UNCLASSIFIED

NUMBERS: tuple[Number, ...] = (
    INDEX,
    INDEX_LOW,
    INDEX_HIGH,
    BLOCKS,
    BLOCK_MM,
    POSITIVE,
    NEGATIVE,
    UNCLASSIFIED,
    TOTAL,
    FEW_CELLS,
    AREA,
    DENSITY,
    *STRENGTHS,
    H_SCORE,
    POSITIVE_DAB,
)
