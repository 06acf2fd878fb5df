"""A slide's result: the numbers of its areas and what they rest on, to and from the fields of ki67.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

from wsi_edt.errors import OutputError
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.corrections_made import CorrectionsMade
from wsi_edt.ki67.decision import Verdict
from wsi_edt.ki67.doubts import Doubt
from wsi_edt.ki67.findings import CountedBy, Provenance
from wsi_edt.ki67.four_fields import FourFields
from wsi_edt.ki67.heterogeneity import Heterogeneity
from wsi_edt.ki67.hotspots import Hotspots
from wsi_edt.ki67.interval import NoInterval
from wsi_edt.ki67.number import Value
from wsi_edt.ki67.numbers import NUMBERS
from wsi_edt.ki67.place import Place
from wsi_edt.ki67.reasons import Reason
from wsi_edt.slides.quality import SlideQuality

FORMAT = 1  # raised when a field changes its meaning; new fields don't raise it
RESEARCH_USE = "For research use only; not for diagnosis."

Json = Mapping[str, Any]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class AreaResult:
    """The numbers of one area.

    Attributes
    ----------
    name : tells it from others of its kind
    reason : why it has no index; None if it has one
    values : by the names in `NUMBERS`
    interval_reason : why its index has no interval; None if it has one
    verdicts : on each cut-off of the profile
    doubts : what else is doubtful about its index
    class_name : of a region, as it was drawn; None without a class
    place : of a hotspot or field
    ignored_mm2 : of its tissue as it was drawn, what is ignored and doesn't count
    """

    kind: AreaKind
    name: str
    reason: Reason | None
    values: Mapping[str, Value]
    interval_reason: NoInterval | None = None
    verdicts: tuple[Verdict, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    class_name: str | None = None
    place: Place | None = None
    ignored_mm2: float = 0.0

    @property
    def assessable(self) -> bool:
        """Whether there is an index."""
        return self.reason is None

    @property
    def index_percent(self) -> float | None:
        """The Ki-67 index."""
        return cast(float | None, self.values["index_percent"])

    @property
    def total(self) -> int:
        """All cells."""
        return cast(int, self.values["total"])

    @property
    def positive(self) -> int:
        """Positive cells."""
        return cast(int, self.values["positive"])

    @property
    def mm2(self) -> float:
        """The area of its tissue."""
        return cast(float, self.values["area_mm2"])

    @property
    def few_cells(self) -> bool:
        """Whether the index rests on too few cells; not without an index, nor of a field."""
        return bool(self.values["few_cells"])

    @property
    def index_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the index."""
        low, high = self.values["index_low_percent"], self.values["index_high_percent"]
        return None if low is None or high is None else (low, high)

    def to_json(self) -> dict[str, Any]:
        """The area's fields of ki67.json."""
        return {
            "assessable": self.assessable,
            "reason": self.reason,
            **self.values,
            "interval_reason": self.interval_reason,
            "verdicts": [{**asdict(verdict), "sentence": verdict.sentence} for verdict in self.verdicts],
            "doubts": [asdict(doubt) for doubt in self.doubts],
            "class": self.class_name,
            "place": None if self.place is None else asdict(self.place),
            "ignored_mm2": self.ignored_mm2,
        }

    @classmethod
    def from_json(cls, kind: AreaKind, name: str, fields: Json) -> AreaResult:
        """The area that `to_json` gave these fields; OutputError if one is missing or of another type."""
        values = {
            number.name: None
            if fields.get(number.name, 0) is None
            else _field(fields, number.name, number.kind)
            for number in NUMBERS
        }
        reason = None if fields.get("reason") is None else Reason(_field(fields, "reason", str))
        return cls(
            kind,
            name,
            reason,
            values,
            interval_reason=_parsed(NoInterval | None, fields, "interval_reason"),
            verdicts=_parsed(tuple[Verdict, ...], fields, "verdicts"),
            doubts=_parsed(tuple[Doubt, ...], fields, "doubts"),
            class_name=_parsed(str | None, fields, "class"),
            place=_parsed(Place | None, fields, "place"),
            ignored_mm2=_field({"ignored_mm2": 0.0, **fields}, "ignored_mm2", float),
        )


@dataclass(frozen=True, slots=True)
class Ki67Result:
    """What is reported of one slide.

    Attributes
    ----------
    slide : the slide's relative path, POSIX, extension included
    areas : the first is the whole tissue
    staining : in words, for example "haematoxylin and DAB"
    quality : what was measured of the slide itself
    slide_mpp : µm per level-0 px
    mpp_stated : whether the file states its µm/px; if not, the user gave it
    conventions : the rules that it was made by
    remark : what the user should know of how the slide was read (which of several planes, an orientation), if anything
    provenance : what it can be made again from; None of findings that no run made
    hotspots, four_fields, heterogeneity : of the first area; None if it has no index, or too little of it
    corrections : what a person corrected; None if nothing
    before : the areas without the corrections; none if there are no corrections
    """

    slide: str
    areas: tuple[AreaResult, ...]
    staining: str
    quality: SlideQuality
    slide_mpp: float
    mpp_stated: bool
    counted_by: CountedBy
    conventions: Conventions
    remark: str | None = None
    provenance: Provenance | None = None
    hotspots: Hotspots | None = None
    four_fields: FourFields | None = None
    heterogeneity: Heterogeneity | None = None
    corrections: CorrectionsMade | None = None
    before: tuple[AreaResult, ...] = ()

    @property
    def whole(self) -> AreaResult:
        """The area that the slide is reported by: its whole tissue."""
        return self.areas[0]

    def of_kind(self, kind: AreaKind) -> tuple[AreaResult, ...]:
        """The areas of that kind, in their order."""
        return tuple(area for area in self.areas if area.kind is kind)

    def to_json(self) -> dict[str, Any]:
        """The fields of ki67.json, in order; no times: the same cells give the same bytes.

        Those of the whole tissue stand at the top; `areas` has every area, the whole tissue too.
        """
        return {
            "format": FORMAT,
            "slide": self.slide,
            **self.whole.to_json(),
            "staining": self.staining,
            "quality": self.quality.to_json(),
            "mpp": self.slide_mpp,
            "mpp_stated": self.mpp_stated,
            **({} if self.remark is None else {"remark": self.remark}),
            "model": self.counted_by.model,
            "what_is_counted": self.counted_by.sentence,
            "threshold": self.counted_by.threshold,
            "model_threshold": self.counted_by.model_threshold,
            "model_median_score": self.counted_by.model_median_score,
            "research_use": RESEARCH_USE,
            "provenance": None if self.provenance is None else asdict(self.provenance),
            "conventions": self.conventions.to_json(),
            "hotspots": _defined(self.hotspots),
            "four_fields": _defined(self.four_fields),
            "heterogeneity": _defined(self.heterogeneity),
            "areas": _listed(self.areas),
            **(
                {}
                if self.corrections is None
                else {"corrections": asdict(self.corrections), "areas_before": _listed(self.before)}
            ),
        }

    @classmethod
    def from_json(cls, fields: Json) -> Ki67Result:
        """The result that `to_json` gave these fields.

        Raises
        ------
        OutputError
            If a field is missing or of another type, or the format is another.
        """
        if fields.get("format") != FORMAT:
            raise OutputError(
                f"has format {fields.get('format')!r}, and this version reads {FORMAT}", where="a ki67.json"
            )
        areas = _field(fields, "areas", list)
        if not areas:
            raise OutputError("has no areas", where="a ki67.json", remedy="delete it and run again")
        try:
            return cls(
                slide=_field(fields, "slide", str),
                areas=_areas(areas),
                staining=_field(fields, "staining", str),
                quality=SlideQuality.from_json(_field(fields, "quality", dict)),
                slide_mpp=_field(fields, "mpp", float),
                mpp_stated=_field(fields, "mpp_stated", bool),
                counted_by=CountedBy(
                    _field(fields, "model", str),
                    _field(fields, "what_is_counted", str),
                    _parsed(float | None, fields, "threshold"),
                    _parsed(float | None, fields, "model_threshold"),
                    _parsed(float | None, fields, "model_median_score"),
                ),
                conventions=_parsed(Conventions, fields, "conventions"),
                remark=None if fields.get("remark") is None else _field(fields, "remark", str),
                provenance=_parsed(Provenance | None, fields, "provenance"),
                hotspots=_parsed(Hotspots | None, fields, "hotspots"),
                four_fields=_parsed(FourFields | None, fields, "four_fields"),
                heterogeneity=_parsed(Heterogeneity | None, fields, "heterogeneity"),
                corrections=_parsed(CorrectionsMade | None, fields, "corrections"),
                before=_areas(fields.get("areas_before", [])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise OutputError(
                f"can't be understood ({error})", where="a ki67.json", remedy="delete it and run again"
            ) from error


def _listed(areas: Iterable[AreaResult]) -> list[Json]:
    return [{"kind": area.kind, "name": area.name, **area.to_json()} for area in areas]


def _areas(listed: Iterable[Json]) -> tuple[AreaResult, ...]:
    return tuple(AreaResult.from_json(AreaKind(area["kind"]), area["name"], area) for area in listed)


def _defined(found: Hotspots | FourFields | Heterogeneity | None) -> dict[str, Any] | None:
    """The fields of what was found, with the sentence that says what it is."""
    return None if found is None else {"definition": found.definition, **asdict(found)}


def _parsed(kind: Any, fields: Json, name: str) -> Any:  # noqa: ANN401 - a type in, a value of it out
    """A field of any type that dataclasses, enumerations, tuples and numbers make up."""
    return _adapter(kind).validate_python(fields.get(name))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401
    return TypeAdapter(kind)


def _field(fields: Json, name: str, kind: type[_T]) -> _T:
    value = fields.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise OutputError(
            f"has {value!r} as {name!r}, not a {kind.__name__}",
            where="a ki67.json",
            remedy="delete it and run again",
        )
    return value
