"""The weighted global method of the International Ki67 Working Group: fields weighted by the tissue like them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wsi_edt.ki67.areas import Area
from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.findings import SlideFindings


class Stratum(StrEnum):
    """How much of the tissue around a field is positive."""

    NEGLIGIBLE = "negligible"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class CountedField:
    """One of the fields.

    Attributes
    ----------
    area : the name of its area
    stratum : that it stands for
    share : of the tissue that is of this stratum, in [0, 1]
    weight : the share after strata without cells are left out; the weights add up to 1
    positive, negative : the cells that were counted in it
    """

    area: str
    stratum: Stratum
    share: float
    weight: float
    positive: int
    negative: int


@dataclass(frozen=True, slots=True)
class FourFields:
    """The fields and the weighted index, %."""

    weighted: Estimate
    unweighted: Estimate
    fields: tuple[CountedField, ...]


def count_fields(
    area: Area, findings: SlideFindings, conventions: Conventions
) -> tuple[tuple[Area, ...], FourFields | None]:
    """The four fields inside an area, as areas of their own, and the index from them; None if there is nothing to count."""
    return (), None
