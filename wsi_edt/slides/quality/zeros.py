"""How much of the slide's file holds nothing but zeros."""

from __future__ import annotations

from wsi_edt.slides.quality.measure import EVERY_STAIN, Measure, QualityFacts, share_in_words


def zero_share(facts: QualityFacts) -> float:
    """The share of the file's blocks that are zeros all over: it was found with the file's fingerprint."""
    return facts.zero_share


ZEROS = Measure(
    name="zero_share",
    flag="zeros in the file",
    of=zero_share,
    limit=0.05,  # a compressed slide has none
    sentence=lambda share: (
        f"About {share_in_words(share)} of the file's bytes are zeros, as an unfinished copy leaves them: a part of the "
        "slide may be missing."
    ),
    remedy="Compare the file with the one that it was copied from; once it is whole, run again with --overwrite.",
    stains=EVERY_STAIN,
)
