"""Heterogeneity of slides that were made to be even, of two halves, or different at their edge."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import shapely

from tests.ki67.made import findings
from wsi_edt.cells import Cells
from wsi_edt.ki67 import SlideFindings
from wsi_edt.ki67.areas import areas_of
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.heterogeneity import EDGE_MM, LEAST_CELLS, Heterogeneity, measure_heterogeneity
from wsi_edt.ki67.unevenness import BIMODALITY_ABOVE
from wsi_edt.qupath.regions import Region
from wsi_edt.slides import TissueMask

PX_PER_MM = 4000  # at 0.25 µm/px
MARGIN_MM = 1.0

Index = Callable[[np.ndarray, np.ndarray], np.ndarray]


def slide(index: Index, *, seed: int, side_mm: float = 6.0, per_mm2: int = 1200) -> SlideFindings:
    """A square of tissue in glass; `index` gives the chance of being positive at (x, y) mm from its corner."""
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, round(per_mm2 * side_mm**2))) * side_mm
    positive = rng.random(len(x)) < index(x, y)
    units = round((side_mm + 2 * MARGIN_MM) * 100)
    mask = np.zeros((units, units), np.bool_)
    inside = slice(round(MARGIN_MM * 100), -round(MARGIN_MM * 100))
    mask[inside, inside] = True
    cells = Cells(
        (x + MARGIN_MM) * PX_PER_MM,
        (y + MARGIN_MM) * PX_PER_MM,
        np.ones(len(x), np.float32),
        positive.astype(np.uint8),
    )
    return replace(
        findings(1, 1),
        cells=cells.sorted_by_position(),
        tissue=TissueMask(mask, 10.0, (units * 32, units * 32)),
    )


def measured(found: SlideFindings) -> Heterogeneity:
    heterogeneity = measure_heterogeneity(next(areas_of(found)), found)
    assert heterogeneity is not None
    return heterogeneity


def holds(estimate: Estimate | None, value: float) -> bool:
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= estimate.value <= estimate.high
    return estimate.low <= value <= estimate.high


def even(share: float) -> Index:
    return lambda x, y: np.full(len(x), share)


def test_even_tissue_looks_even() -> None:
    """Ten slides of 200 cells a hexagon: intervals of 95 % miss now and then, and not more than twice here."""
    slides = [measured(slide(even(0.22), seed=seed, per_mm2=900)) for seed in range(10)]
    assert sum(holds(one.edge_minus_centre, 0) for one in slides) >= 8
    assert sum(holds(one.entropy, one.entropy_if_even or 0) for one in slides) >= 8
    assert all(one.bimodality is None for one in slides), "chance has no peaks"
    assert all(one.spread is not None and one.spread.value < 1.5 for one in slides)


def test_two_halves_have_two_peaks() -> None:
    halves = measured(slide(lambda x, y: np.where(x < 3, 0.05, 0.6), seed=1))
    assert halves.bimodality is not None
    assert not holds(halves.bimodality, BIMODALITY_ABOVE)
    assert halves.bimodality.value > BIMODALITY_ABOVE
    assert holds(halves.spread, 27.5), "half of the difference"
    assert halves.entropy is not None
    assert halves.entropy_if_even is not None
    assert halves.entropy.low is not None
    assert halves.entropy.low > halves.entropy_if_even


def test_a_positive_edge_is_found() -> None:
    def index(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        near = np.minimum.reduce([x, 6 - x, y, 6 - y]) < EDGE_MM
        return np.where(near, 0.3, 0.1)

    found = measured(slide(index, seed=2))
    assert holds(found.edge, 30)
    assert holds(found.centre, 10)
    assert not holds(found.edge_minus_centre, 0)
    assert found.edge_minus_centre is not None
    assert abs(found.edge_minus_centre.value - 20) < 1


def test_the_hexagons_hold_all_cells() -> None:
    made = slide(even(0.1), seed=3, side_mm=2.5)
    found = measured(made)
    assert sum(one.positive for one in found.hexagons) == np.count_nonzero(made.cells.class_id)
    assert sum(one.positive + one.negative for one in found.hexagons) == len(made.cells)
    places = [(one.y, one.x) for one in found.hexagons]
    assert places == sorted(places)
    beside = sorted(one.x for one in found.hexagons if one.y == found.hexagons[-1].y)
    assert set(np.diff(beside).round()) == {found.width_mm * PX_PER_MM}


def test_small_tissue_has_numbers_without_intervals_or_none() -> None:
    """Of 9 mm² there are hexagons enough and no 20 blocks; of 1 mm² nothing lies in the centre."""
    some = measured(slide(even(0.3), seed=4, side_mm=3.0))
    assert some.entropy is not None
    assert some.edge is not None
    assert some.edge_minus_centre is not None
    assert [some.entropy.low, some.edge.low, some.edge_minus_centre.low] == [None, None, None]
    few = measured(slide(even(0.3), seed=4, side_mm=1.0))
    assert few.spread is None
    assert few.entropy is None
    assert few.entropy_if_even is None
    assert few.bimodality is None
    assert few.edge is not None
    assert few.centre is None
    assert few.edge_minus_centre is None
    assert few.hexagons


def test_why_there_are_no_numbers_is_said() -> None:
    """Hexagons, and the edge: in view or not, and with cells on both sides of it."""
    whole = slide(even(0.3), seed=4)
    assert (measured(whole).hexagons_reason, measured(whole).edge_reason) == (None, None)
    small = measured(slide(even(0.3), seed=4, side_mm=1.0))
    assert small.hexagons_reason == "fewer than 20 hexagons with 100 cells"
    assert small.edge_reason == "fewer than 100 cells farther in than 0.5 mm from the tissue's edge"
    assert (small.edge_cells, small.centre_cells) == (1200, 0)
    full = np.ones_like(whole.tissue.mask)
    cut = measured(replace(whole, tissue=replace(whole.tissue, mask=full)))
    assert cut.edge_reason == "no edge of the tissue in view"
    assert (cut.edge, cut.edge_cells, cut.centre_cells) == (None, 0, len(whole.cells))
    beyond = full.copy()
    beyond[:100] = False  # glass above, more than 0.5 mm from the cells' lowest 4 mm
    low = whole.cells.select(whole.cells.y > 3 * PX_PER_MM)
    few = measured(replace(whole, cells=low, tissue=replace(whole.tissue, mask=beyond)))
    assert few.edge_reason == "fewer than 100 cells within 0.5 mm of the tissue's edge"
    assert few.centre is not None


def test_how_many_cells_lie_near_the_edge_is_counted() -> None:
    """Brute force: 0.5 mm along the sides of 6 mm."""
    made = slide(even(0.3), seed=7)
    x, y = (place / PX_PER_MM - MARGIN_MM for place in (made.cells.x, made.cells.y))
    near = np.count_nonzero(np.minimum.reduce([x, 6 - x, y, 6 - y]) <= EDGE_MM)
    found = measured(made)
    assert abs(found.edge_cells - near) < 0.01 * len(made.cells)
    assert found.edge_cells + found.centre_cells == len(made.cells)


def test_entropy_can_be_made_again_from_what_is_said() -> None:
    """By hand, as the definition has it: classes of 5 points, and Miller and Madow's (k − 1) / 2n in bits."""
    found = measured(slide(lambda x, y: x / 6, seed=8))
    counted = [one for one in found.hexagons if one.positive + one.negative >= found.least_cells]
    indices = [100 * one.positive / (one.positive + one.negative) for one in counted]
    held = Counter(min(int(index // 5), 19) for index in indices)
    n = len(indices)
    plain = -sum(count / n * math.log2(count / n) for count in held.values())
    assert found.entropy is not None
    assert found.entropy.value == round(plain + (len(held) - 1) / (2 * n * math.log(2)), 4)
    for said in ("−Σ p log₂ p", "5 points", "(k − 1) / (2 n ln 2)", "0.5 mm wide", "100 cells"):
        assert said in found.definition, said


def test_hexagons_of_few_cells_say_nothing() -> None:
    """Of 50 cells a hexagon none counts, whatever the tissue's size."""
    assert LEAST_CELLS > 50
    found = measured(slide(even(0.3), seed=5, per_mm2=230))
    assert found.entropy is None
    assert found.edge is not None


def test_a_regions_edge_is_its_own() -> None:
    """Inside a region of 4 mm in the middle of the tissue only its rim is positive."""

    def index(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(np.maximum(np.abs(x - 3), np.abs(y - 3)) > 1.5, 0.4, 0.1)

    made = slide(index, seed=6)
    corners = np.array([1.0, 1.0, 5.0, 5.0]) + MARGIN_MM
    drawn = Region("tumour", shapely.box(*(corners * PX_PER_MM).tolist()))
    made = replace(made, regions=(drawn,))
    region = list(areas_of(made))[-1]
    found = measure_heterogeneity(region, made)
    assert found is not None
    assert found.edge is not None
    assert found.centre is not None
    assert abs(found.edge.value - 40) < 3
    assert abs(found.centre.value - 10) < 2


def test_nuclei_without_a_class_have_no_index_to_be_uneven() -> None:
    made = findings(0, 0, 30)
    assert measure_heterogeneity(next(areas_of(made)), made) is None
