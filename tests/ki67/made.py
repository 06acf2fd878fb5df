"""Findings and results made of counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import Conventions, CountedBy, Ki67Result, SlideFindings, assess
from wsi_edt.slides import SlideSource, Staining, TissueMask

COUNTS = "The model counts nuclei of the test."


def cells(positive: int, negative: int, unclassified: int = 0) -> Cells:
    class_id = np.repeat(np.array([1, 0, 2], np.uint8), [positive, negative, unclassified])
    n = len(class_id)
    return Cells(np.arange(n, dtype=np.float64), np.zeros(n), np.ones(n, np.float32), class_id)


def findings(
    positive: int = 0,
    negative: int = 0,
    unclassified: int = 0,
    *,
    mm2: float = 1.0,
    staining: Staining = Staining.DAB,
    slide: str = "folder/a.svs",
    mpp_stated: bool = True,
) -> SlideFindings:
    """A slide whose tissue is one square unit of the mask, of that area."""
    tissue = TissueMask(np.array([[mm2 > 0]]), 1000 * (mm2 or 1.0) ** 0.5, (32, 32))
    return SlideFindings(
        slide=slide,
        source=SlideSource(Path("a.svs")),
        cells=cells(positive, negative, unclassified),
        tissue=tissue,
        staining=staining,
        scale=Scale(0.25, 0.3125),
        mpp_stated=mpp_stated,
        bounds=Window(0, 0, 40, 40),
        counted_by=CountedBy("ki67-w18 1.0", COUNTS),
    )


def result(
    positive: int = 0,
    negative: int = 0,
    unclassified: int = 0,
    *,
    mm2: float = 1.0,
    staining: Staining = Staining.DAB,
    slide: str = "folder/a.svs",
    mpp_stated: bool = True,
) -> Ki67Result:
    found = findings(
        positive, negative, unclassified, mm2=mm2, staining=staining, slide=slide, mpp_stated=mpp_stated
    )
    return assess(found, Conventions())
