"""The areas of a slide that get numbers of their own: for now the whole tissue alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from wsi_edt.cells import Cells
from wsi_edt.ki67.findings import SlideFindings


class AreaKind(StrEnum):
    """What an area is."""

    TISSUE = "whole tissue"


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A part of a slide.

    Attributes
    ----------
    name : tells it from others of its kind
    cells : those inside, level-0 px
    mm2 : of tissue
    """

    kind: AreaKind
    name: str
    cells: Cells
    mm2: float


def areas_of(findings: SlideFindings) -> Iterator[Area]:
    """The areas of a slide; the first is its whole tissue."""
    yield Area(AreaKind.TISSUE, AreaKind.TISSUE, findings.cells, findings.tissue.area_mm2)
