"""Hotspots: where the share, or the density, of positive cells is highest, and what of it remains after the search."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wsi_edt.ki67.areas import Area
from wsi_edt.ki67.conventions import Conventions, HotspotRule
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.findings import SlideFindings


class Order(StrEnum):
    """What hotspots are looked for by."""

    INDEX = "index"
    POSITIVES = "positive cells per mm²"


@dataclass(frozen=True, slots=True)
class Hotspot:
    """One hotspot.

    Attributes
    ----------
    area : the name of its area
    order, rank : what it was looked for by, and its place in that order, from 1
    raw : what was looked for there: % or cells/mm², a selected maximum
    remaining : what remains of it after the selection is accounted for; None if that can't be told
    """

    area: str
    order: Order
    rank: int
    raw: float
    remaining: Estimate | None


@dataclass(frozen=True, slots=True)
class Hotspots:
    """The hotspots of a slide and what they are.

    Attributes
    ----------
    rule : their definition
    found : by order and rank
    """

    rule: HotspotRule
    found: tuple[Hotspot, ...]


def find_hotspots(
    area: Area, findings: SlideFindings, conventions: Conventions
) -> tuple[tuple[Area, ...], Hotspots | None]:
    """The hotspots inside an area, as areas of their own, and what is said of them; None if there are none."""
    return (), None
