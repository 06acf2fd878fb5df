"""A slide's row, as summary.csv and the batch's page show it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wsi_edt.ki67 import NUMBERS, AreaResult, Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.text import percent


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
    quality : the names of what is wrong with the slide itself, joined by "; "; empty if nothing is
    seconds : of workers; None if that isn't known
    error : why there is no result, in one sentence
    case : as the laboratory calls what the slide belongs to; empty if nobody said
    regions : the index of each region that was drawn on it, in words; empty without any
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

    @classmethod
    def from_result(cls, result: Ki67Result, *, seconds: float | None) -> SummaryRow:
        """The row of a slide with a result."""
        return cls(
            slide=result.slide,
            status=Status.DONE if result.whole.assessable else Status.NOT_ASSESSABLE,
            whole=result.whole,
            staining=result.staining,
            quality=result.quality.flag_names,
            slide_mpp=result.slide_mpp,
            seconds=seconds,
            model=result.counted_by.model,
            regions="; ".join(f"{area.name} {_index_of(area)}" for area in result.of_kind(AreaKind.REGION)),
        )

    @classmethod
    def failed(cls, slide: str, error: str, *, model: str) -> SummaryRow:
        """The row of a slide without a result."""
        return cls(slide=slide, status=Status.FAILED, model=model, error=error)

    @property
    def index_percent(self) -> float | None:
        """The Ki-67 index of the whole tissue; None if there is none."""
        return None if self.whole is None else self.whole.index_percent

    @property
    def total(self) -> int | None:
        """How many cells were found; None if the slide failed."""
        return None if self.whole is None else self.whole.total

    @property
    def reason(self) -> str | None:
        """Why there is no index, for a slide that has a result."""
        return None if self.whole is None else self.whole.reason

    def columns(self) -> dict[str, str]:
        """The row in summary.csv, as text by column; see `_harmless` for texts that a spreadsheet would execute."""
        values = {} if self.whole is None else self.whole.values
        return {
            "slide": _harmless(self.slide),
            "case": _harmless(self.case),
            "status": self.status,
            **{number.name: number.in_table(values.get(number.name)) for number in NUMBERS},
            "staining": self.staining or "",
            "quality": self.quality or "",
            "mpp": "" if self.slide_mpp is None else f"{self.slide_mpp:.5f}",
            "seconds": "" if self.seconds is None else f"{self.seconds:.1f}",
            "model": self.model or "",
            "reason": self.reason or "",
            "regions": _harmless(self.regions),
            "error": _harmless(self.error or ""),
        }


def _index_of(area: AreaResult) -> str:
    return percent(area.index_percent) if area.assessable else f"not assessable ({area.reason})"


def _harmless(text: str) -> str:
    """The text, behind an apostrophe if spreadsheets would take it for a formula: names of files come from anywhere."""
    return f"'{text}" if text.startswith(_FORMULA) else text


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = tuple(SummaryRow("", Status.FAILED).columns())
