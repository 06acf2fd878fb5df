"""Whether a model is less sure of the cells of a slide than of those of the pictures that its threshold was chosen on.

In a stain that it doesn't know, a model misses nuclei, and the ones that it finds barely exceed its threshold. Colours
needn't look unusual for that: unlike the flag of an unknown stain, this one is of what was found. It says nothing about
nuclei of another kind, or of other tissue than the training pictures', that are found with certainty.
"""

from __future__ import annotations

import numpy as np

from wsi_edt.cells import Cells
from wsi_edt.ki67.findings import CountedBy

LOW_SCORES = "low scores"
REMEDY = "Look at the cells in QuPath; where nuclei are missed, train the model on a few annotated fields of yours."
# Of the median on the pictures that chose the threshold. The model card has what laboratories have that a model knows, and
# that it doesn't (workflows/shipped_model/leave_one_out.py).
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
