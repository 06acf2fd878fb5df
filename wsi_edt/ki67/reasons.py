"""Why an area has no Ki-67 index: "not assessable", never 0 %."""

from __future__ import annotations

from enum import StrEnum

from wsi_edt.ki67.areas import Area
from wsi_edt.ki67.counts import Counts
from wsi_edt.ki67.findings import CountedBy
from wsi_edt.slides.staining import Staining


class Reason(StrEnum):
    """In words, as ki67.json has them."""

    NO_DAB = "no DAB"
    NO_COLOUR = "no colour"
    NO_TISSUE = "no tissue"
    IGNORED = "excluded"
    NO_CELLS = "no cells"
    NO_CLASSES = "the model doesn't tell positive from negative"


def reason_in_words(reason: Reason | None, counted_by: CountedBy) -> str:
    """A reason for reading: where a raised threshold leaves no cell it says so; empty without a reason."""
    if reason is Reason.NO_CELLS and counted_by.threshold_is_raised:
        return f"no cell exceeds {counted_by.changed_threshold}"
    return "" if reason is None else str(reason)


def reason_against(area: Area, counts: Counts, staining: Staining) -> Reason | None:
    """Why the area is not assessable; None if it is. An index is a share, and nothing has no share."""
    if not counts.total:
        if area.mm2 > 0:
            return Reason.NO_CELLS
        return Reason.IGNORED if area.ignored_mm2 > 0 else Reason.NO_TISSUE
    if staining is not Staining.DAB:
        return Reason.NO_COLOUR if staining is Staining.GREY else Reason.NO_DAB
    return None if counts.positive + counts.negative else Reason.NO_CLASSES
