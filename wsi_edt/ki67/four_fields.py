"""The weighted global method of the International Ki67 Working Group: fields weighted by the tissue like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wsi_edt.cells import CellClass
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.place import Place, Shape
from wsi_edt.ki67.region_areas import tissue_mm2
from wsi_edt.ki67.strata import FROM_PERCENT, Squares, Stratum, allotted, nearest
from wsi_edt.ki67.unit_grid import FloatArray, IntArray
from wsi_edt.qupath.regions import polygons_of

__all__ = ["CountedField", "FourFields", "Stratum", "count_fields"]

SEED = 2016
DRAWS = 1000  # of fields, for the interval: its ends are the 25th from either end


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
    """The fields and the weighted index, %, with what other fields might have given."""

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
            "centre are counted"
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
    75:225). Tissue in squares with fewer than `strata.LEAST_CELLS` cells is in no stratum: weights are of the rest.

    The intervals say how much depends on the draw: they reach as far below and above a result as 95 % of other draws lie
    above and below their mean. There are none where no other fields could have been drawn.

    Draws are seeded: a pure function of its arguments.
    """
    squares = Squares.of(area, findings)
    shares = squares.shares()
    if not shares:
        return (), None
    count = conventions.field_cells
    chosen = {
        stratum: _drawn(
            squares, squares.candidates(stratum, fields=number, cells=count), fields=number, draws=1
        )[0]
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
    others = _other_draws(squares, shares, {stratum: len(own) for stratum, own in chosen.items()}, count)
    result = FourFields(_estimate(weighted, others[0]), _estimate(unweighted, others[1]), fields)
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


def _drawn(squares: Squares, candidates: IntArray, *, fields: int, draws: int) -> IntArray:
    """Squares drawn by lot, without putting back, each by its tissue: (draws, fields or fewer) numbers of squares.

    The smallest of exponential times that pass the faster the more tissue there is (Efraimidis and Spirakis 2006).
    """
    rng = np.random.default_rng([SEED, draws, len(candidates)])
    times = rng.exponential(size=(draws, len(candidates))) / squares.mm2[candidates]
    first = np.argsort(times, axis=1, kind="stable")[:, :fields]
    return candidates[first]


def _other_draws(
    squares: Squares, shares: Mapping[Stratum, float], numbers: Mapping[Stratum, int], count: int
) -> tuple[FloatArray, FloatArray]:
    """The weighted and unweighted indices, %, that draws of as many fields give: (DRAWS,) each."""
    rng = np.random.default_rng(SEED)
    weighted, all_positive, all_cells = np.zeros(DRAWS), np.zeros(DRAWS), np.zeros(DRAWS)
    total = sum(shares[stratum] for stratum in numbers)
    for stratum, fields in numbers.items():
        candidates = squares.candidates(stratum, fields=fields, cells=count)
        drawn = _drawn(squares, candidates, fields=fields, draws=DRAWS)
        held = squares.positive[drawn], squares.cells[drawn] - squares.positive[drawn]
        cells = np.minimum(squares.cells[drawn], count)
        positive = rng.hypergeometric(*held, cells).sum(axis=1)
        weighted += shares[stratum] / total * 100 * positive / cells.sum(axis=1)
        all_positive += positive
        all_cells += cells.sum(axis=1)
    return weighted, 100 * all_positive / all_cells


def _estimate(value: float, others: FloatArray) -> Estimate:
    low, high = np.quantile(others, (0.025, 0.975))
    if low == high:
        return Estimate(value).rounded()
    middle = float(others.mean())
    return Estimate(
        value, max(value - (float(high) - middle), 0.0), min(value + (middle - float(low)), 100.0)
    ).rounded()
