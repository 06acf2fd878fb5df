"""Whether the stain is like those that the model was trained on."""

from __future__ import annotations

from wsi_edt.slides.quality.measure import Measure, QualityFacts
from wsi_edt.slides.stain_style import stain_style
from wsi_edt.slides.staining import Staining

# Of six numbers with a normal distribution, 99.7 % lie within 4.5 standard deviations. For version 3 of the shipped model,
# which knows bcdata, shidc and glioma, their pictures lie within 2.8 and the slides of two scanners within 3.3; those of
# immunoratio, of whose nuclei it misses almost half, lie from 6.2 to 11.2, those of gepnet from 3.9 to 5.3
# (workflows/shipped_model/add_stains.py).
LIMIT = 4.5


def stain_distance(facts: QualityFacts) -> float | None:
    """How many standard deviations the stain lies from those of the training pictures; None if they aren't known."""
    if facts.known_stains is None:
        return None
    style = stain_style(facts.fields, mpp=facts.field_mpp)
    return None if style is None else facts.known_stains.distance(style)


UNKNOWN_STAIN = Measure(
    name="stain_distance",
    flag="stain unlike the training pictures",
    of=stain_distance,
    limit=LIMIT,
    sentence=lambda distance: (
        f"The stain is unlike that of the training pictures ({distance:.1f} standard deviations away): check that nuclei "
        "are found."
    ),
    remedy="Look at the cells in QuPath; where pale nuclei are missed, train the model on a few annotated fields of yours.",
    stains=frozenset({Staining.DAB}),
)
