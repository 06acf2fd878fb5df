"""Findings and results made of counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import Conventions, CountedBy, Ki67Result, SlideFindings, assess
from wsi_edt.slides import SlideSource, Staining, TissueMask
from wsi_edt.slides.quality import SlideQuality

COUNTS = "The model counts nuclei of the test."
QUALITY = SlideQuality(
    {
        "out_of_focus_share": 0.0,
        "pen_share": 0.0,
        "counterstain_contrast": 0.3,
        "background_dab": 0.02,
        "stain_distance": 2.5,
        "zero_share": 0.0,
        "black_share": 0.0,
    }
)
BLURRED = SlideQuality({**QUALITY.values, "out_of_focus_share": 0.312})


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
    quality: SlideQuality = QUALITY,
) -> SlideFindings:
    """A slide whose tissue is one square unit of the mask, of that area."""
    tissue = TissueMask(np.array([[mm2 > 0]]), 1000 * (mm2 or 1.0) ** 0.5, (32, 32))
    return SlideFindings(
        slide=slide,
        source=SlideSource(Path("a.svs")),
        cells=cells(positive, negative, unclassified),
        tissue=tissue,
        staining=staining,
        quality=quality,
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
    quality: SlideQuality = QUALITY,
) -> Ki67Result:
    found = findings(
        positive,
        negative,
        unclassified,
        mm2=mm2,
        staining=staining,
        slide=slide,
        mpp_stated=mpp_stated,
        quality=quality,
    )
    return assess(found, Conventions())
