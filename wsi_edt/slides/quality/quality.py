"""A slide's quality: a value of each measure, and a flag for each bad one. It excludes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wsi_edt.slides.protocol import RgbArray, Slide
from wsi_edt.slides.quality.fields import light_of, sample_fields
from wsi_edt.slides.quality.measure import QualityFacts
from wsi_edt.slides.quality.measures import MEASURES
from wsi_edt.slides.stain_style import KnownStains
from wsi_edt.slides.staining import Staining
from wsi_edt.slides.tissue import TissueMask

DIGITS = 4  # of a value


@dataclass(frozen=True, slots=True)
class QualityFlag:
    """One thing that is wrong with a slide.

    Attributes
    ----------
    name : short, for tables: "out of focus"
    value, limit : what was measured, and the worst that isn't flagged
    sentence : says it to people
    remedy : what they can do
    """

    name: str
    value: float
    limit: float
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class SlideQuality:
    """What was measured of a slide.

    Attributes
    ----------
    values : by the names in `MEASURES`; None where the slide, or its stain, doesn't show it
    """

    values: Mapping[str, float | None]

    @property
    def flags(self) -> tuple[QualityFlag, ...]:
        """What is wrong, in the measures' order."""
        return tuple(
            QualityFlag(measure.flag, value, measure.limit, measure.sentence(value), measure.remedy)
            for measure in MEASURES
            if (value := self.values[measure.name]) is not None and measure.is_bad(value)
        )

    @property
    def flag_names(self) -> str:
        """The flags' names, as a table has them: "out of focus; pen", or nothing."""
        return "; ".join(flag.name for flag in self.flags)

    def to_json(self) -> dict[str, Any]:
        """The fields of ki67.json."""
        flags = [
            {
                "name": flag.name,
                "value": flag.value,
                "limit": flag.limit,
                "sentence": flag.sentence,
                "remedy": flag.remedy,
            }
            for flag in self.flags
        ]
        return {**self.values, "flags": flags}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> SlideQuality:
        """The quality that `to_json` gave these fields.

        Raises
        ------
        KeyError, TypeError
            If a value is missing or isn't a number.
        """
        values = {measure.name: fields[measure.name] for measure in MEASURES}
        return cls({name: None if value is None else _number(value) for name, value in values.items()})


def measure_quality(
    slide: Slide,
    tissue: TissueMask,
    overview: RgbArray,
    staining: Staining,
    *,
    zero_share: float,
    known_stains: KnownStains | None = None,
) -> SlideQuality:
    """The quality of a brightfield slide, from its overview and up to 48 fields of 80 µm on its tissue.

    Parameters
    ----------
    slide : the open slide
    tissue : its tissue, as it was found
    overview : (rows, columns, 3) uint8, of the tissue mask's shape
    zero_share : of the blocks of its files, how many hold nothing but zeros, see `FileState`
    known_stains : of the training pictures of the model that is to find the cells

    Raises
    ------
    SlideError
        If the file is damaged or truncated.
    """
    assert overview.shape[:2] == tissue.mask.shape, (overview.shape, tissue.mask.shape)
    fields, field_mpp = sample_fields(slide, tissue)
    light = light_of(overview, tissue, fields)
    facts = QualityFacts(tissue, overview, light, fields, field_mpp, zero_share, known_stains)
    values = {measure.name: measure.of(facts) if staining in measure.stains else None for measure in MEASURES}
    return SlideQuality(
        {name: None if value is None else round(value, DIGITS) for name, value in values.items()}
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} isn't a number")
    return float(value)
