"""How brown the tissue is between its nuclei."""

from __future__ import annotations

import numpy as np

from wsi_edt.slides.quality.measure import Measure, QualityFacts
from wsi_edt.slides.quality.stains import stain_densities
from wsi_edt.slides.staining import Staining

# Ki-67 images of five laboratories have at most 0.05. With DAB added to BCData's, the shipped model's recall is 0.91 up to
# 0.1, 0.85 at 0.2 and 0.54 at 0.3; ImmunoRatio's strong blue bears 0.4. workflows/benchmarks/quality_curve.py draws it.
LIMIT = 0.2


def background_dab(facts: QualityFacts) -> float | None:
    """The median over the fields of the DAB density that the paler half of a field has."""
    densities = []
    for field in facts.fields:
        haematoxylin, dab = stain_densities(field, facts.light)
        paler = haematoxylin + dab <= np.median(haematoxylin + dab)
        densities.append(float(np.median(dab[paler])))
    return float(np.median(densities)) if densities else None


BROWN_BACKGROUND = Measure(
    name="background_dab",
    flag="brown background",
    of=background_dab,
    limit=LIMIT,
    sentence=lambda density: (
        f"The tissue is brown between its nuclei (DAB density {density:.2f}): negative nuclei are lost in it."
    ),
    remedy="Compare with the control tissue; stain again if it is brown too.",
    stains=frozenset({Staining.DAB}),
)
