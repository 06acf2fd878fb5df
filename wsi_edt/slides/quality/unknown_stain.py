"""Whether the stain is like those that the model was trained on."""

from __future__ import annotations

from wsi_edt.slides.quality.measure import Measure, QualityFacts
from wsi_edt.slides.stain_style import stain_style
from wsi_edt.slides.staining import Staining

# Between what is known and what isn't: with immunoratio left out of the training pictures its 21 lie from 4.1 to 6.7, all
# others within 3.0; with none left out all lie within 3.4, two scanners' slides within 1.1. Of six numbers with a normal
# distribution, 98.6 % lie within 4 standard deviations (workflows/shipped_model/left_out_stains.py).
LIMIT = 4.0


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
