"""On which side of a cut-off an index lies, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.ki67.number import AreaFacts


@dataclass(frozen=True, slots=True)
class Verdict:
    """An area's index against one cut-off.

    Attributes
    ----------
    cutoff_percent : what the index is compared with
    probability_above : that the index lies above it; None without an interval
    certain : whether that, or its opposite, reaches the convention's certainty; else a second reader is advised
    """

    cutoff_percent: float
    probability_above: float | None
    certain: bool


def verdicts(facts: AreaFacts) -> tuple[Verdict, ...]:
    """The verdict for each cut-off of the profile; none without a profile or an index."""
    return ()
