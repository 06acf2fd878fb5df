"""What the hottest hotspot says of a verdict, where a profile's cut-offs are for it and not for the whole tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.decision import Verdict
from wsi_edt.ki67.hotspots import Hotspots
from wsi_edt.ki67.text import with_interval

NOT_LOOKED_FOR = "no hotspot was looked for"


def with_hotspot(
    verdicts: Sequence[Verdict],
    index_percent: float | None,
    hotspots: Hotspots | None,
    conventions: Conventions,
    *,
    cells: int = 0,
) -> tuple[Verdict, ...]:
    """The verdicts on an area's index, which are certain only if its hottest hotspot lies on the same side.

    That is, all of the interval of what remains of the hottest one by index. Where it doesn't, where there is no hotspot,
    or one of fewer cells than the conventions ask for, `why` says so. Verdicts without a probability say already why
    nothing is certain and stay as they are, as do all verdicts of a profile that isn't decided by hotspot.

    Parameters
    ----------
    index_percent : of the area; None if it has none
    hotspots : of the area; None if none were looked for
    cells : with a class, in the hottest one
    """
    if not conventions.profile.by_hotspot or index_percent is None:
        return tuple(verdicts)
    found = []
    for verdict in verdicts:
        against = _against(verdict.cutoff_percent, index_percent, hotspots)
        if not against and cells < conventions.least_cells:
            against = f"hotspot 1 has fewer than {conventions.least_cells} cells"
        if verdict.probability_above is None or not against:
            found.append(verdict)
        else:
            why = ", ".join(word for word in (against, verdict.why) if word)
            found.append(replace(verdict, certain=False, why=why))
    return tuple(found)


def _against(cutoff: float, index: float, hotspots: Hotspots | None) -> str:
    """What speaks against taking the index's side of a cut-off for the hotspot's; empty if nothing does."""
    if hotspots is None:
        return NOT_LOOKED_FOR
    hottest = hotspots.hottest
    if hottest is None:
        return hotspots.reason
    remains = hottest.remaining
    if remains is None or remains.low is None or remains.high is None:
        return "what remains of hotspot 1 can't be told"
    if (remains.low > cutoff) if index > cutoff else (remains.high <= cutoff):
        return ""
    return f"hotspot 1 has {with_interval(remains.value, (remains.low, remains.high))}"
