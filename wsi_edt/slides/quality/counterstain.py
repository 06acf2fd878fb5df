"""How well blue nuclei stand out from what is around them."""

from __future__ import annotations

import numpy as np

from wsi_edt.slides.quality.measure import Measure, QualityFacts
from wsi_edt.slides.quality.stains import stain_densities
from wsi_edt.slides.staining import Staining

# Single images of five laboratories have 0.04 (BCData's palest) to 1; whole slides 0.2 to 0.35. BCData and glioma reach
# the limit at 0.45 of their density, where the shipped model finds a third fewer nuclei than at their own.
LIMIT = 0.05
BROWN = 0.15  # DAB density above a field's own background


def counterstain_contrast(facts: QualityFacts) -> float | None:
    """The upper quartile over the fields of how much denser in haematoxylin nuclei are than their surroundings."""
    contrasts = []
    for field in facts.fields:
        haematoxylin, dab = stain_densities(field, facts.light)
        blue = haematoxylin[dab < np.median(dab) + BROWN]
        contrasts.append(float(np.subtract(*np.percentile(blue, (95, 30)))))
    return float(np.percentile(contrasts, 75)) if contrasts else None


PALE_COUNTERSTAIN = Measure(
    name="counterstain_contrast",
    flag="pale counterstain",
    of=counterstain_contrast,
    limit=LIMIT,
    sentence=lambda contrast: (
        f"The counterstain is pale (contrast {contrast:.2f}): nuclei are missed, and the index is wrong."
    ),
    remedy="Look at the cells in QuPath; stain the slide again, with haematoxylin for longer.",
    low_is_bad=True,
    stains=frozenset({Staining.DAB}),
)
