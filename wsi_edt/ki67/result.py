"""A slide's result: its score and what it rests on, to and from the fields of ki67.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from wsi_edt.errors import OutputError
from wsi_edt.ki67.index import Ki67Score

FORMAT = 1  # raised when a field changes its meaning; new fields don't raise it

RESEARCH_USE = "For research use only; not for diagnosis."
WHAT_IS_COUNTED = (
    "The model counts nuclei as a BCData-style tumour count would. It does not segment tumour from stroma: "
    "regions drawn in QuPath do that."
)

Json = str | int | float | bool | None
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SlideResult:
    """One slide's score with what it rests on.

    Attributes
    ----------
    slide : the slide's relative path, POSIX, extension included
    staining : in words, for example "haematoxylin and DAB"
    mpp : µm per level-0 px
    mpp_stated : whether the file states its µm/px (False: the user gave it)
    model : name and version of the model
    """

    slide: str
    score: Ki67Score
    staining: str
    mpp: float
    mpp_stated: bool
    model: str

    def to_json(self) -> dict[str, Json]:
        """Return the fields of ki67.json, in order; no times: the same cells give the same bytes."""
        score = self.score
        return {
            "format": FORMAT,
            "slide": self.slide,
            "index_percent": _rounded(score.index_percent, 4),
            "assessable": score.assessable,
            "reason": score.reason,
            "positive": score.positive,
            "negative": score.negative,
            "unclassified": score.unclassified,
            "total": score.total,
            "few_cells": score.few_cells,
            "area_mm2": _rounded(score.area_mm2, 6),
            "cells_per_mm2": _rounded(score.cells_per_mm2, 2),
            "staining": self.staining,
            "mpp": self.mpp,
            "mpp_stated": self.mpp_stated,
            "model": self.model,
            "what_is_counted": WHAT_IS_COUNTED,
            "research_use": RESEARCH_USE,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> SlideResult:
        """Return the result that `to_json` gave these fields.

        Raises
        ------
        OutputError
            Where a field is missing, of another type, or of a newer format.
        """
        if fields.get("format") != FORMAT:
            raise OutputError(f"a ki67.json of format {fields.get('format')!r}; this version reads {FORMAT}")
        score = Ki67Score(
            positive=_field(fields, "positive", int),
            negative=_field(fields, "negative", int),
            unclassified=_field(fields, "unclassified", int),
            area_mm2=_field(fields, "area_mm2", float),
            reason=None if fields.get("reason") is None else _field(fields, "reason", str),
        )
        return cls(
            slide=_field(fields, "slide", str),
            score=score,
            staining=_field(fields, "staining", str),
            mpp=_field(fields, "mpp", float),
            mpp_stated=_field(fields, "mpp_stated", bool),
            model=_field(fields, "model", str),
        )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _field(fields: Mapping[str, object], name: str, kind: type[_T]) -> _T:
    value = fields.get(name)
    if not isinstance(value, kind):
        raise OutputError(
            f"ki67.json has {value!r} as {name!r}, not a {kind.__name__}; delete it and run again"
        )
    return value
