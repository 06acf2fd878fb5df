"""On which side of a cut-off an index lies, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsi_edt.ki67.doubts import SELECTED, Doubt
from wsi_edt.ki67.interval import Interval
from wsi_edt.ki67.number import AreaFacts

DIGITS = 4  # of a probability
FIRST, SECOND = "Certain", "Second reader advised"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An area's index against one cut-off.

    Attributes
    ----------
    cutoff_percent : what the index is compared with
    probability_above : that the index lies above it; None without an interval
    certain : whether that, or its opposite, reaches the convention's certainty, and nothing else is doubtful; if not, a
        second reader is advised
    why : what else is doubtful, in a few words, or why there is no probability
    """

    cutoff_percent: float
    probability_above: float | None
    certain: bool
    why: str = ""

    @property
    def sentence(self) -> str:
        """The verdict for reading: "Certain: above 20 % (probability 99.7 %)"."""
        place = f"above {self.cutoff_percent:g} %"
        if self.probability_above is None:
            return f"{SECOND} at {self.cutoff_percent:g} %: no probability ({self.why})"
        if not self.certain:
            why = f"{self.why}; " if self.why else ""
            return f"{SECOND}: {why}{_in_words(self.probability_above)} likely to lie {place}"
        if self.probability_above > 0.5:
            return f"{FIRST}: {place} (probability {_in_words(self.probability_above)})"
        below = _in_words(1 - self.probability_above)
        return f"{FIRST}: below {self.cutoff_percent:g} % (probability {below})"


def verdicts(facts: AreaFacts, doubts: Sequence[Doubt]) -> tuple[Verdict, ...]:
    """The verdict for each cut-off of the profile; none without a profile or an index, and none of hotspots and fields.

    A hotspot is a selected maximum, and a field a sample: neither says on which side the tumour's index lies.

    Parameters
    ----------
    doubts : any of them makes a second reader advisable, see `doubts_about`
    """
    if facts.reason is not None or facts.area.kind in SELECTED:
        return ()
    why = [doubt.name for doubt in doubts]
    if not isinstance(facts.interval, Interval):
        words = ", ".join([str(facts.interval), *why])
        return tuple(
            Verdict(cutoff, None, certain=False, why=words)
            for cutoff in facts.conventions.profile.cutoffs_percent
        )
    found = []
    for cutoff in facts.conventions.profile.cutoffs_percent:
        above = facts.interval.probability_above(cutoff)
        sure = max(above, 1 - above) >= facts.conventions.certainty
        found.append(Verdict(cutoff, round(above, DIGITS), certain=sure and not why, why=", ".join(why)))
    return tuple(found)


def _in_words(probability: float) -> str:
    """A probability as a percentage, with a digit after the point where it is nearly 0 or 100."""
    percent = 100 * probability
    if percent < 0.1 or percent > 99.9:
        return "< 0.1 %" if percent < 0.1 else "> 99.9 %"
    return f"{percent:.0f} %" if 1 <= percent <= 99 else f"{percent:.1f} %"
