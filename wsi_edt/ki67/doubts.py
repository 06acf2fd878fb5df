"""Why an index shouldn't be decided by alone, however sure its side of a cut-off is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.few_cells import few_cells
from wsi_edt.ki67.findings import CountedBy
from wsi_edt.ki67.low_scores import LOW_SCORES, low_scores
from wsi_edt.ki67.number import AreaFacts
from wsi_edt.slides.quality import SlideQuality

SELECTED = (AreaKind.HOTSPOT, AreaKind.FIELD)  # areas that aren't decided by
MOST_EXCLUDED = 0.5  # of the tissue that would count else


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that an interval doesn't know of.

    Attributes
    ----------
    name : short, for a line: "fewer than 500 cells"
    sentence : says it to people
    """

    name: str
    sentence: str


def doubts_about(
    facts: AreaFacts, quality: SlideQuality, *, counted_by: CountedBy | None = None
) -> tuple[Doubt, ...]:
    """What is doubtful about an area's index; nothing if it has none, or if it is a hotspot or a field.

    An interval is made of the cells that were found, and can't know that others were missed. So whatever is wrong with the
    slide (blur, pen, stain, an unfinished copy, black) is a doubt, as are too few cells, and cells that the model is unsure
    of; and that more than half of the tissue, or of a region's, was excluded: whoever leaves out so much should look at
    what is left. That regions hold only a part of the slide is none: to draw the tumour is what a pathologist does, and the
    rest is meant to be left out.
    A slide that isn't stained with DAB has no index, and so no decision. Another threshold than the model's own finds other
    cells than those that its accuracy was measured with, and often shifts the index.

    Parameters
    ----------
    counted_by : what found the cells, and by which threshold
    """
    if facts.reason is not None or facts.area.kind in SELECTED:
        return ()
    doubts = _doubts(facts, quality)
    return tuple(doubts) if counted_by is None else (*doubts, *_doubts_of_model(facts, counted_by))


def _doubts(facts: AreaFacts, quality: SlideQuality) -> Iterator[Doubt]:
    if few_cells(facts):
        name = f"fewer than {facts.conventions.least_cells} cells"
        yield Doubt(name, f"F{name[1:]}: the index is uncertain.")
    area = facts.area
    excluded = area.ignored_mm2 / (area.mm2 + area.ignored_mm2) if area.ignored_mm2 > 0 else 0.0
    if excluded > MOST_EXCLUDED:
        of_what = "slide's tissue" if area.kind is AreaKind.TISSUE else "regions' tissue"
        of_what = "region's tissue" if area.kind is AreaKind.REGION else of_what
        yield Doubt(
            "most of the tissue left out",
            f"{100 * excluded:.0f} % of the {of_what} was excluded: the index is of the rest.",
        )
    for flag in quality.flags:
        yield Doubt(flag.name, flag.sentence)


def _doubts_of_model(facts: AreaFacts, counted_by: CountedBy) -> Iterator[Doubt]:
    unsure = low_scores(facts.area.cells, counted_by)
    if unsure:
        yield Doubt(LOW_SCORES, unsure)
    changed = counted_by.changed_threshold
    if changed:
        yield Doubt(
            changed.removeprefix("the "),
            f"Cells were counted by {changed}: the accuracy of the model was measured by its own.",
        )
