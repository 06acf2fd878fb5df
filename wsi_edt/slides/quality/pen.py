"""How much of the tissue lies under pen marks."""

from __future__ import annotations

from wsi_edt.slides.quality.measure import Measure, QualityFacts, share_in_words


def hidden_share(facts: QualityFacts) -> float:
    """The share of the tissue that a pen hides: it was found with the tissue."""
    return facts.tissue.hidden_share


PEN = Measure(
    name="pen_share",
    flag="pen",
    of=hidden_share,
    limit=0.02,
    sentence=lambda share: (
        f"Pen marks hide about {share_in_words(share)} of the tissue; nothing is counted there or close by."
    ),
    remedy="Look at tissue.png; wipe the glass and scan it again if the tumour lies under the pen.",
)
