"""Whether a model is less sure of the cells of a slide than of those of the pictures that its threshold was chosen on.

Low scores come with nuclei that are blurred or pale, and with DAB that isn't in nuclei, also where the colours look
familiar. They are no measure of recall: a network may be as sure as ever of what it finds where it misses a third (the
model card has what was measured), so that their absence says nothing. A stain that the model doesn't know is another flag.
"""

from __future__ import annotations

import numpy as np

from wsi_edt.cells import Cells
from wsi_edt.ki67.findings import CountedBy

LOW_SCORES = "low scores"
REMEDY = "Look at the cells in QuPath; where nuclei are missed, train the model on a few annotated fields of yours."
# Of the median on the pictures that chose the threshold. With the shipped model bcdata, glioma and two scanners' slides
# have 1.03 to 1.10, shidc's blurred fields 0.85, cytoplasmic DAB 0.75 (model card).
LOWEST_SHARE = 0.9
FEWEST_CELLS = 100  # whose median says something


def low_scores(cells: Cells, counted_by: CountedBy) -> str:
    """A sentence about the cells' scores if they are low; else empty.

    Nothing is said about another threshold than the model's own, which other cells exceed, nor about a model that doesn't
    state its median score.
    """
    usual = counted_by.model_median_score
    if usual is None or counted_by.changed_threshold or len(cells) < FEWEST_CELLS:
        return ""
    median = float(np.median(cells.score))
    if median >= LOWEST_SHARE * usual:
        return ""
    return (
        f"The model is less sure than usual of what it found: the cells' median score is {median:.2f}, and {usual:.2f} on "
        "the pictures that its threshold was chosen on. Check that nuclei are found."
    )
