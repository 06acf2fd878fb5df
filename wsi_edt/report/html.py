"""The slide's page. Plain HTML without scripts, one file, which opens offline and prints to two A4 pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsi_edt.ki67 import NUMBERS, AreaResult, Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.four_fields import CountedField
from wsi_edt.ki67.hotspots import Hotspot, Order
from wsi_edt.ki67.low_scores import LOW_SCORES, REMEDY
from wsi_edt.ki67.reasons import reason_in_words
from wsi_edt.ki67.text import NONE, count, percent, with_interval
from wsi_edt.report.corrections import before_and_after, corrected_by, step_lines
from wsi_edt.report.crops import SIDE_UM, Crop
from wsi_edt.report.figures import SlideFigures
from wsi_edt.report.labels import place_labels, region_labels
from wsi_edt.report.slide_map import MARKED_HOTSPOTS
from wsi_edt.report.templating import REMEDIES, render

PAPER_ROWS = 6  # of a table: what is printed of it; the page on a screen has all
LEAST_REGIONS = 4  # that are printed of them, however full their page is


@dataclass(frozen=True, slots=True)
class Spot:
    """A hotspot in the page's words."""

    label: str
    spot: Hotspot
    area: AreaResult
    crop: Crop | None
    whole: AreaResult

    @property
    def raw(self) -> str:
        """What was looked for, as it was found."""
        return percent(self.spot.raw) if self._by_index else f"{count(self.spot.raw)} /mm²"

    @property
    def remaining(self) -> str:
        """What remains after the selection, with its interval."""
        left = self.spot.remaining
        if self._by_index or left is None:
            return in_words(left)
        if left.low is None or left.high is None:
            return f"{count(left.value)} /mm²"
        return f"{count(left.value)} /mm² ({count(left.low)}–{count(left.high)})"

    @property
    def is_no_higher(self) -> bool:
        """Whether what remains of it isn't above that of the whole: it was found by chance, as far as can be told."""
        left, whole = self.spot.remaining, self.whole
        if left is None or whole.index_percent is None:
            return False
        if self._by_index:
            return left.value <= whole.index_percent
        return left.value * whole.mm2 <= whole.positive

    @property
    def _by_index(self) -> bool:
        return self.spot.order is Order.INDEX


@dataclass(frozen=True, slots=True)
class Field:
    """A counted field in the page's words."""

    label: str
    field: CountedField
    area: AreaResult | None
    crop: Crop | None

    @property
    def index(self) -> str:
        """The index of what was counted in it."""
        counted = self.field.positive + self.field.negative
        return percent(100 * self.field.positive / counted if counted else None)


def in_words(estimate: Estimate | None) -> str:
    """An index with its interval, if it has them."""
    if estimate is None:
        return NONE
    ends = None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)
    return with_interval(estimate.value, ends)


def slide_page(result: Ki67Result, figures: SlideFigures, *, overview: str, cells: str) -> str:
    """One slide's page.

    Parameters
    ----------
    overview, cells : the names of the picture and of the GeoJSON, which lie in the page's folder
    """
    area = result.whole
    listed = [number for number in NUMBERS if number.label and number.shown(area.values)]
    columns = [number for number in listed if number.name not in ("unclassified", "total")]
    names, spots = region_labels(result), _spots(result, figures)
    fields = _fields(result, figures)
    histogram_below = figures.histogram is not None and not figures.maps.leave_a_gap
    return render(
        "slide.html",
        result=result,
        area=area,
        figures=figures,
        numbers=[(number.name, number.label, number.in_words(area.values[number.name])) for number in listed],
        columns=columns,
        regions=[(names[one.name] if one.kind is AreaKind.REGION else "", one) for one in drawn(result)],
        compared=before_and_after(result),
        steps=step_lines(result),
        corrected_by=corrected_by(result),
        paper_rows=PAPER_ROWS,
        spots=spots,
        marked_hotspots=MARKED_HOTSPOTS,
        many_spots=any(one.spot.rank > MARKED_HOTSPOTS for one in spots),
        fields=fields,
        histogram_below=histogram_below,
        paper_regions=LEAST_REGIONS + _free_rows(spots, fields, below=histogram_below),
        kinds=AreaKind,
        crop_mm=SIDE_UM / 1000,
        orders=Order,
        in_words=in_words,
        undecided=_undecided(area),
        remedies_of_doubts={LOW_SCORES: REMEDY} | {flag.name: flag.remedy for flag in result.quality.flags},
        remedy=REMEDIES.get(area.reason) if area.reason else None,
        reason=reason_in_words(area.reason, result.counted_by),
        counts=result.counted_by.sentence,
        overview=overview,
        cells=cells,
    )


def _free_rows(spots: Sequence[Spot], fields: Sequence[Field], *, below: bool) -> int:
    """How many rows more the second printed page has room for, as something on it is missing."""
    missing = (
        (not spots, 12),
        (bool(spots) and not any(one.crop for one in spots), 6),
        (not fields, 10),
        (bool(fields) and not any(one.crop for one in fields), 6),
        (not below, 4),
    )
    return sum(rows for free, rows in missing if free)


def _undecided(area: AreaResult) -> str:
    """Why there is no probability for any cut-off; empty if there are some."""
    verdicts = area.verdicts
    return verdicts[0].why if verdicts and all(one.probability_above is None for one in verdicts) else ""


def drawn(result: Ki67Result) -> list[AreaResult]:
    """The rows of the table of regions: all together, each class, each region."""
    kinds = (AreaKind.REGIONS, AreaKind.CLASS, AreaKind.REGION)
    return [area for kind in kinds for area in result.of_kind(kind)]


def _spots(result: Ki67Result, figures: SlideFigures) -> list[Spot]:
    labels = place_labels(result)
    areas = {area.name: area for area in result.of_kind(AreaKind.HOTSPOT)}
    found = () if result.hotspots is None else result.hotspots.found
    return [
        Spot(labels[one.area], one, areas[one.area], figures.crops.get(one.area), result.whole)
        for one in found
    ]


def _fields(result: Ki67Result, figures: SlideFigures) -> list[Field]:
    labels = place_labels(result)
    areas = {area.name: area for area in result.of_kind(AreaKind.FIELD)}
    fields = () if result.four_fields is None else result.four_fields.fields
    return [Field(labels[one.area], one, areas.get(one.area), figures.crops.get(one.area)) for one in fields]
