"""A slide's row, as summary.csv and the batch's page show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from wsi_edt.ki67 import NUMBERS, AreaResult, Conventions, CountedBy, Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.decision import Verdict
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.hotspots import Hotspot, Order
from wsi_edt.ki67.low_scores import LOW_SCORES
from wsi_edt.ki67.reasons import reason_in_words
from wsi_edt.ki67.text import percent, with_interval
from wsi_edt.tables.harmless import as_it_was, harmless


class Status(StrEnum):
    """How a slide ended."""

    DONE = "done"
    NOT_ASSESSABLE = "not assessable"  # computed, but without an index; the row says why
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One slide's row.

    Attributes
    ----------
    whole : the numbers of its whole tissue; None if it failed
    quality : the names of what is wrong with the slide itself, or with what was found on it, joined by "; "; empty if
        nothing is
    seconds : of workers; None if that isn't known
    error : why there is no result, in one sentence
    case : as the laboratory calls what the slide belongs to; empty if nobody said
    regions : the index of each region that was drawn on it, in words; empty without any
    hotspot_percent : the index of the hottest hotspot, a selected maximum; None without one
    hotspot_remaining : what remains of it after the selection is accounted for; None if that can't be told
    no_hotspot : why there is none, though they were looked for; empty if there are some
    counted_by : the model, and the threshold that its cells exceed; None if the slide failed
    conventions : the rules that it was reported by; None if it failed
    corrections : how many a person made
    before_percent : the index without them; None if there are none, or it had no index
    """

    slide: str
    status: Status
    whole: AreaResult | None = None
    staining: str | None = None
    quality: str | None = None
    slide_mpp: float | None = None
    seconds: float | None = None
    model: str | None = None
    error: str | None = None
    case: str = ""
    regions: str = ""
    hotspot_percent: float | None = None
    hotspot_remaining: Estimate | None = None
    no_hotspot: str = ""
    counted_by: CountedBy | None = None
    conventions: Conventions | None = None
    corrections: int = 0
    before_percent: float | None = None

    @classmethod
    def from_result(cls, result: Ki67Result, *, seconds: float | None) -> SummaryRow:
        """The row of a slide with a result."""
        hottest = _hottest(result)
        return cls(
            slide=result.slide,
            status=Status.DONE if result.whole.assessable else Status.NOT_ASSESSABLE,
            whole=result.whole,
            staining=result.staining,
            quality=_quality(result),
            slide_mpp=result.slide_mpp,
            seconds=seconds,
            model=result.counted_by.model,
            regions=_regions_in_words(result.of_kind(AreaKind.REGION)),
            hotspot_percent=None if hottest is None else hottest.raw,
            hotspot_remaining=None if hottest is None else hottest.remaining,
            no_hotspot="" if result.hotspots is None else result.hotspots.reason,
            counted_by=result.counted_by,
            conventions=result.conventions,
            corrections=0 if result.corrections is None else result.corrections.revision,
            before_percent=result.before[0].index_percent if result.before else None,
        )

    @classmethod
    def failed(cls, slide: str, error: str, *, model: str) -> SummaryRow:
        """The row of a slide without a result."""
        return cls(slide=slide, status=Status.FAILED, model=model, error=error)

    @classmethod
    def failed_in(cls, columns: Mapping[str, str]) -> SummaryRow | None:
        """The row that `columns` made these of, if it is of a slide that has failed; else None."""
        if columns.get("status") != Status.FAILED:
            return None
        texts = {name: as_it_was(columns.get(name) or "") for name in ("slide", "error", "model", "case")}
        return replace(cls.failed(texts["slide"], texts["error"], model=texts["model"]), case=texts["case"])

    @property
    def index_percent(self) -> float | None:
        """The Ki-67 index of the whole tissue; None if there is none."""
        return None if self.whole is None else self.whole.index_percent

    @property
    def index_words(self) -> str:
        """The index and its interval, for reading; empty if there is none."""
        if self.whole is None or not self.whole.assessable:
            return ""
        return with_interval(self.whole.index_percent, self.whole.index_interval)

    @property
    def verdict(self) -> str:
        """Between which cut-offs of the profile the index lies, see `verdict_words`."""
        return "" if self.whole is None else verdict_words(self.whole.verdicts, self.index_percent)

    @property
    def total(self) -> int | None:
        """How many cells were found; None if the slide failed."""
        return None if self.whole is None else self.whole.total

    @property
    def reason(self) -> str | None:
        """Why there is no index, in words, for a slide that has a result."""
        if self.whole is None or self.whole.reason is None:
            return None
        return (
            self.whole.reason
            if self.counted_by is None
            else reason_in_words(self.whole.reason, self.counted_by)
        )

    @property
    def needs_a_look(self) -> bool:
        """Whether something is doubtful: no index, too few cells, a quality flag, or a cut-off that is too near."""
        if self.whole is None or self.status is not Status.DONE:
            return True
        return bool(self.flags) or any(not verdict.certain for verdict in self.whole.verdicts)

    @property
    def flags(self) -> tuple[str, ...]:
        """What makes its index, or the slide itself, doubtful, in a word or two each."""
        few = self.whole is not None and self.whole.few_cells
        words = ("few cells" if few else "", self.quality, self.threshold)
        missing = self.error if self.status is not Status.FAILED else None
        return tuple(word for word in (*words, missing) if word)

    @property
    def threshold(self) -> str:
        """The threshold in words where it isn't the model's own and there is an index; else empty."""
        if self.counted_by is None or self.whole is None or not self.whole.assessable:
            return ""
        return self.counted_by.changed_threshold.removeprefix("the ")

    def columns(self) -> dict[str, str]:
        """The row in summary.csv, as text by column; see `harmless` for texts that a spreadsheet would execute."""
        values = {} if self.whole is None else self.whole.values
        remaining = None if self.hotspot_remaining is None else self.hotspot_remaining.value
        return {
            "slide": harmless(self.slide),
            "case": harmless(self.case),
            "status": self.status,
            **{number.name: number.in_table(values.get(number.name)) for number in NUMBERS},
            "hotspot_percent": _two_digits(self.hotspot_percent),
            "hotspot_remaining_percent": _two_digits(remaining),
            "verdict": self.verdict,
            "area": "" if self.whole is None else self.whole.name,
            "profile": "" if self.conventions is None else self.conventions.profile.name,
            "staining": self.staining or "",
            "quality": self.quality or "",
            "mpp": "" if self.slide_mpp is None else f"{self.slide_mpp:.5f}",
            "seconds": "" if self.seconds is None else f"{self.seconds:.1f}",
            "model": self.model or "",
            "threshold": "" if self.counted_by is None else _as_given(self.counted_by.threshold),
            "corrections": str(self.corrections) if self.corrections else "",
            "index_before_percent": _two_digits(self.before_percent),
            "reason": self.reason or "",
            "regions": harmless(self.regions),
            "error": harmless(self.error or ""),
        }


def _quality(result: Ki67Result) -> str:
    """The flags of the slide and of what was found on it."""
    unsure = [doubt.name for doubt in result.whole.doubts if doubt.name == LOW_SCORES]
    return "; ".join(filter(None, [result.quality.flag_names, *unsure]))


def verdict_words(verdicts: Sequence[Verdict], index_percent: float | None) -> str:
    """Between which cut-offs the index lies, and whether that is certain; empty without cut-offs or without an index.

    On either side of a cut-off lies what is likelier; without a probability, the index itself.
    """
    if not verdicts or index_percent is None:
        return ""
    below, above = None, None
    for verdict in verdicts:
        probability = verdict.probability_above
        if index_percent > verdict.cutoff_percent if probability is None else probability > 0.5:
            below = verdict
        elif above is None:
            above = verdict
    if below is None:
        place = f"up to {verdicts[0].cutoff_percent:g} %"
    elif above is None:
        place = f"above {below.cutoff_percent:g} %"
    else:
        place = f"above {below.cutoff_percent:g} up to {above.cutoff_percent:g} %"
    unsure = [f"{verdict.cutoff_percent:g}" for verdict in verdicts if not verdict.certain]
    if not unsure:
        return f"{place}, certain"
    where = f" at {' and '.join(unsure)} %" if len(unsure) < len(verdicts) else ""
    return f"{place}, second reader advised{where}"


def _hottest(result: Ki67Result) -> Hotspot | None:
    """The first by index."""
    found = () if result.hotspots is None else result.hotspots.found
    return next((one for one in found if one.order is Order.INDEX and one.rank == 1), None)


def _two_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _as_given(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _regions_in_words(regions: Sequence[AreaResult]) -> str:
    """The index of each region; a slide may have thousands, of which regions.csv has all."""
    words = [f"{area.name} {_index_of(area)}" for area in regions[:_MOST_REGIONS]]
    if len(regions) > _MOST_REGIONS:
        words.append(f"and {len(regions) - _MOST_REGIONS:,} more")
    return "; ".join(words)


def _index_of(area: AreaResult) -> str:
    return percent(area.index_percent) if area.assessable else f"not assessable ({area.reason})"


_MOST_REGIONS = 20
COLUMNS = tuple(SummaryRow("", Status.FAILED).columns())
