"""How much of the slide is black that is no picture."""

from __future__ import annotations

from wsi_edt.slides.quality.measure import EVERY_STAIN, Measure, QualityFacts, share_in_words


def black_share(facts: QualityFacts) -> float:
    """The share of the slide that is black and was read as white: it was found with the tissue."""
    return facts.tissue.black_share


BLACK = Measure(
    name="black_share",
    flag="black",
    of=black_share,
    limit=0.05,
    sentence=lambda share: (
        f"{share_in_words(share)} of the picture is black (not scanned, or not copied) and read as white: nothing is "
        "counted there."
    ),
    remedy="Look at the slide in QuPath; copy or export it again if there should be tissue.",
    stains=EVERY_STAIN,
)
