"""The weighted global method of the International Ki67 Working Group: fields weighted by the tissue like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from wsi_edt.cells import CellClass
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.place import Place, Shape
from wsi_edt.ki67.region_areas import tissue_mm2
from wsi_edt.ki67.strata import FROM_PERCENT, LEAST_CELLS, Squares, Stratum, allotted, nearest
from wsi_edt.ki67.unit_grid import FloatArray, IntArray
from wsi_edt.ki67.wilson import wilson
from wsi_edt.qupath.regions import polygons_of

__all__ = ["CountedField", "FourFields", "Stratum", "count_fields"]

SEED = 2016


@dataclass(frozen=True, slots=True)
class CountedField:
    """One of the fields.

    Attributes
    ----------
    area : the name of its area
    stratum : that it stands for
    share : of the tissue that is of this stratum, in [0, 1]
    weight : what its index counts for: the share of its stratum after tissue without cells is left out, and of that
        its part of the cells counted in the stratum; the weights add up to 1
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
    """The fields and the weighted index, %, with their 95 % intervals."""

    weighted: Estimate
    unweighted: Estimate
    fields: tuple[CountedField, ...]

    @property
    def definition(self) -> str:
        """What the fields stand for, in words."""
        low, medium, high = FROM_PERCENT
        return (
            f"squares of 0.3 mm are negligible below {low:g} % positive cells, low from {low:g}, medium from "
            f"{medium:g} and high from {high:g} %; of each the fields are drawn by lot, and the cells nearest to their "
            "centre are counted. Squares that are less than half tissue, or hold fewer than "
            f"{LEAST_CELLS} cells, are left out. The weighted index's interval is for tissue like this"
        )


def count_fields(
    area: Area, findings: SlideFindings, conventions: Conventions
) -> tuple[tuple[Area, ...], FourFields | None]:
    """The four fields inside an area, as areas of their own, and the index from them; None if there is nothing to count.

    Squares of 0.3 mm are stratified by the share of their cells that is positive (`strata.FROM_PERCENT`). Of each stratum
    that has any tissue fields are drawn by lot (`strata.allotted` says how many), a square by its tissue; in each the
    convention's number of cells nearest to its centre is counted, or all in the disc that fills it if they are fewer. The
    weighted index is the sum, over the strata, of their share of the tissue × the index of the cells counted in them; the
    unweighted one is that of all counted cells (Leung et al. 2016, npj Breast Cancer 2:16014; 2019, Histopathology
    75:225). Squares that are less than half tissue, or have fewer than `strata.LEAST_CELLS` cells, are in no stratum:
    weights are of the rest.

    The intervals hold for the index of tissue with these shares of the strata, as if it went on: see `_estimate`.

    Draws are seeded: a pure function of its arguments.
    """
    squares = Squares.of(area, findings, field_cells=conventions.field_cells)
    shares = squares.shares()
    if not shares:
        return (), None
    count = conventions.field_cells
    chosen = {
        stratum: _drawn(squares, squares.candidates(stratum, fields=number, cells=count), fields=number)
        for stratum, number in allotted(shares).items()
    }
    areas: list[Area] = []
    tallies: list[Tally] = []
    for stratum, of_stratum in chosen.items():
        for square in np.sort(of_stratum):
            field = _field(f"field {len(areas) + 1}", area, findings, squares, int(square), count=count)
            areas.append(field)
            positive = field.cells.count(CellClass.POSITIVE)
            tallies.append(Tally(stratum, positive, len(field.cells) - positive))
    weights = field_weights(shares, tallies)
    fields = tuple(
        CountedField(
            area=field.name,
            stratum=tally.stratum,
            share=round(shares[tally.stratum], 6),
            weight=round(weight, 6),
            positive=tally.positive,
            negative=tally.negative,
        )
        for field, tally, weight in zip(areas, tallies, weights, strict=True)
    )
    weighted, unweighted = indices(weights, tallies)
    drawn_from = {
        stratum: squares.candidates(stratum, fields=len(own), cells=count) for stratum, own in chosen.items()
    }
    spreads = [_Spread.of(squares, drawn_from[stratum], len(own)) for stratum, own in chosen.items()]
    of_tissue = np.array([shares[stratum] for stratum in chosen])
    of_cells = np.array([sum(t.cells for t in tallies if t.stratum is stratum) for stratum in chosen])
    total = int(of_cells.sum())
    result = FourFields(
        _estimate(weighted, of_tissue / of_tissue.sum(), spreads, total),
        _estimate(unweighted, of_cells / total, spreads, total),
        fields,
    )
    return tuple(areas), result


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted in a field of a stratum."""

    stratum: Stratum
    positive: int
    negative: int

    @property
    def cells(self) -> int:
        """Both."""
        return self.positive + self.negative


def field_weights(shares: Mapping[Stratum, float], tallies: Sequence[Tally]) -> list[float]:
    """What each field's index counts for; they add up to 1.

    Parameters
    ----------
    shares : of the tissue
    tallies : of the fields, each with cells; strata without a field don't count
    """
    counted = {tally.stratum: 0 for tally in tallies}
    for tally in tallies:
        counted[tally.stratum] += tally.cells
    total = sum(shares[stratum] for stratum in counted)
    return [shares[tally.stratum] / total * tally.cells / counted[tally.stratum] for tally in tallies]


def indices(weights: Sequence[float], tallies: Sequence[Tally]) -> tuple[float, float]:
    """The weighted and the unweighted index, %."""
    weighted = sum(
        weight * 100 * tally.positive / tally.cells for weight, tally in zip(weights, tallies, strict=True)
    )
    positive, cells = (sum(each) for each in zip(*((t.positive, t.cells) for t in tallies), strict=True))
    return weighted, 100 * positive / cells


def _field(
    name: str, area: Area, findings: SlideFindings, squares: Squares, square: int, *, count: int
) -> Area:
    """A field as an area: the disc that its counted cells fill."""
    x, y = float(squares.x[square]), float(squares.y[square])
    cells, reach = nearest(area.cells, x, y, reach=squares.side_px / 2, count=count)
    um = squares.side_um * 2 * reach / squares.side_px
    place = Place(Shape.DISC, x, y, 2 * reach, um)
    outline = place.polygon()
    held = outline if area.shape is None else polygons_of(outline.intersection(area.shape))
    mm2 = 0.0 if held is None else tissue_mm2(held, findings.tissue, findings.scale)
    return Area(AreaKind.FIELD, name, cells, mm2, place=place)


def _drawn(squares: Squares, candidates: IntArray, *, fields: int) -> IntArray:
    """Squares drawn by lot, without putting back, each by its tissue: (fields or fewer,) numbers of squares.

    The smallest of exponential times that pass the faster the more tissue there is (Efraimidis and Spirakis 2006).
    """
    rng = np.random.default_rng([SEED, 1, len(candidates)])
    times = rng.exponential(size=len(candidates)) / squares.mm2[candidates]
    return candidates[np.argsort(times, kind="stable")[:fields]]


@dataclass(frozen=True, slots=True)
class _Spread:
    """The share of positive cells that the fields of a stratum give: its mean, and its variance from draw to draw."""

    mean: float
    variance: float

    @classmethod
    def of(cls, squares: Squares, candidates: IntArray, fields: int) -> Self:
        """That of so many squares, drawn by their tissue with putting back: at least that of independent cells."""
        weight = squares.mm2[candidates] / squares.mm2[candidates].sum()
        share = squares.positive[candidates] / squares.counted[candidates]
        mean = float(weight @ share)
        between = float(weight @ (share - mean) ** 2)
        independent = mean * (1 - mean) * float(weight @ (1 / squares.counted[candidates]))
        return cls(mean, max(between, independent) / fields)


def _estimate(value: float, weights: FloatArray, spreads: Sequence[_Spread], cells: int) -> Estimate:
    """An index of fields, %, with its interval: that of a share of as many independent cells as would vary like it.

    The index varies by which squares are drawn and by which of their cells are positive; its variance is the sum over the
    strata. Where it has none, as no cell of the squares is positive, or each is, it rests on the counted cells.
    """
    mean = float(sum(weight * one.mean for weight, one in zip(weights, spreads, strict=True)))
    variance = float(sum(weight**2 * one.variance for weight, one in zip(weights, spreads, strict=True)))
    alike = mean * (1 - mean) / variance if variance > 0 else float(cells)
    low, high = wilson(value / 100, alike)
    return Estimate(value, 100 * low, 100 * high).rounded()
