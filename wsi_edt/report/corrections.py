"""What a person corrected, for the slide's page: numbers before and after, and who did what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wsi_edt.ki67 import AreaResult, Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.corrections_made import Step
from wsi_edt.ki67.text import with_interval

_SHOWN = (AreaKind.TISSUE, AreaKind.REGIONS, AreaKind.CLASS, AreaKind.REGION, AreaKind.HOTSPOT)


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """An area's numbers without and with the corrections; None where it is in one of them alone."""

    name: str
    before: AreaResult | None
    after: AreaResult | None


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step in the page's words."""

    numbers: str
    who: str
    when: str
    text: str
    undone: bool


def before_and_after(result: Ki67Result) -> list[BeforeAfter]:
    """The areas of both results, those of the same kind and name beside each other; the whole tissue comes first."""
    if not result.before:
        return []
    rows = [BeforeAfter(result.whole.name, result.before[0], result.whole)]
    earlier = {(area.kind, area.name): area for area in result.before[1:] if area.kind in _SHOWN}
    for area in result.areas[1:]:
        if area.kind in _SHOWN:
            rows.append(BeforeAfter(area.name, earlier.pop((area.kind, area.name), None), area))
    return rows + [BeforeAfter(area.name, area, None) for area in earlier.values()]


def step_lines(result: Ki67Result) -> list[StepLine]:
    """The corrections in their order, with their times in UTC."""
    steps = () if result.corrections is None else result.corrections.steps
    return [StepLine(_numbers(step), step.who, _when(step), step.text, step.undone) for step in steps]


def corrected_by(result: Ki67Result) -> str:
    """Whose corrections the index is made with, and what it is without them; empty without corrections."""
    if result.corrections is None or not result.before:
        return ""
    people = list(dict.fromkeys(step.who for step in result.corrections.steps))
    named = " and ".join([", ".join(people[:-1]), people[-1]] if len(people) > 1 else people)
    whole = result.before[0]
    before = (
        with_interval(whole.index_percent, whole.index_interval) if whole.assessable else "not assessable"
    )
    return f"corrected by {named}; without corrections {before}"


def _numbers(step: Step) -> str:
    first, last = step.entries
    return str(first) if first == last else f"{first}–{last}"


def _when(step: Step) -> str:
    first, last = _minute(step.first), _minute(step.last)
    return first if first == last else f"{first} to {last[-5:]}"


def _minute(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"
