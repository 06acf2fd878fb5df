"""Hotspots and the four fields: how fast they are found, and what remains of a hotspot by three ways to reckon it.

    python workflows/benchmarks/hotspots.py [--cells 0.3,1,3] [--slides 40]

The slides are points: cells that keep a distance, 5000 to the mm², whose chance of being positive depends on where they
lie, and on nothing else. The loop that one would write counts the cells in each field by their distances to its centre,
size after size; it is run for a few centres and reckoned for all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from measuring import MIB, Numbers, in_fresh_process, machine, memory_now, peak_memory, spent, table

from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import Conventions, CountedBy, SlideFindings
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.candidate_fields import (
    Fields,
    Ladder,
    centres,
    grown,
    hotspot_places,
    possible_fields,
    tissue_mm2,
)
from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.field_search import Order, score_of
from wsi_edt.ki67.four_fields import count_fields
from wsi_edt.ki67.hotspots import find_hotspots
from wsi_edt.ki67.unit_grid import Counted, UnitGrid
from wsi_edt.slides import SlideSource, Staining, TissueMask
from wsi_edt.slides.quality import SlideQuality

FloatArray = npt.NDArray[np.float64]
Chance = Callable[[FloatArray, FloatArray], FloatArray]

PER_MM2 = 5000
UNIT_UM, L0_UM = 10.0, 0.25
JITTER_UM = 5.0  # of a lattice of 14 µm
BLOCK_UM = 500.0
RESAMPLES = 4
LOOPED = 40  # centres of the plain loop
RULE = HotspotRule(count=1)


def even(x: FloatArray, y: FloatArray) -> FloatArray:
    """No hotspot."""
    return np.full(len(x), 0.2)


def spot(x: FloatArray, y: FloatArray) -> FloatArray:
    """One of 0.6 mm."""
    return np.where(np.hypot(x - 1500, y - 1300) < 300, 0.4, 0.15)


def slope(x: FloatArray, y: FloatArray) -> FloatArray:
    """A broad one."""
    return 0.1 + 0.2 * np.exp(-((x - 1500) ** 2 + (y - 1300) ** 2) / (2 * 600**2))


def low(x: FloatArray, y: FloatArray) -> FloatArray:
    """No hotspot, and few positive cells."""
    return np.full(len(x), 0.01)


CHANCES: dict[str, Chance] = {
    "20 % everywhere": even,
    "1 % everywhere": low,
    "a spot of 40 % in 15 %": spot,
    "a slope, 10 to 30 %": slope,
}


def made_slide(mm2: float, chance: Chance, seed: int) -> tuple[Area, SlideFindings]:
    """A slide with so much tissue, 3 : 2 in shape."""
    rng = np.random.default_rng(seed)
    rows, columns = round((mm2 / 1.5) ** 0.5 * 100), round((mm2 * 1.5) ** 0.5 * 100)
    pitch = 1000 / PER_MM2**0.5
    lattice = np.meshgrid(
        np.arange(pitch / 2, columns * UNIT_UM, pitch), np.arange(pitch / 2, rows * UNIT_UM, pitch)
    )
    count = lattice[0].size
    x, y = (along.ravel() + rng.uniform(-JITTER_UM, JITTER_UM, count) for along in lattice)
    positive = (rng.random(count) < chance(x, y)).astype(np.uint8)
    cells = Cells(x / L0_UM, y / L0_UM, np.ones(count, np.float32), positive).sorted_by_position()
    tissue = TissueMask(np.ones((rows, columns), np.bool_), UNIT_UM, (columns * 32, rows * 32))
    findings = SlideFindings(
        slide="made",
        source=SlideSource(Path("made")),
        cells=cells,
        tissue=tissue,
        staining=Staining.DAB,
        quality=SlideQuality({}),
        scale=Scale(L0_UM, UNIT_UM / 32),
        mpp_stated=True,
        bounds=Window(0, 0, columns * 40, rows * 40),
        counted_by=CountedBy("made", "made"),
    )
    return Area(AreaKind.TISSUE, "whole tissue", cells, tissue.area_mm2), findings


def speed(millions: float, name: str) -> list[str]:
    """A row of the first table."""
    area, findings = made_slide(millions * 1e6 / PER_MM2, CHANCES[name], 1)
    before = memory_now()
    with spent() as hotspots:
        found = find_hotspots(area, findings, Conventions())[1]
    with spent() as fields:
        count_fields(area, findings, Conventions())
    grown_by = peak_memory() - before
    loop = plain_loop_seconds(area, findings)
    assert found is not None
    return [
        f"{millions:g} million, {name}",
        f"{hotspots.seconds:.2f} ({hotspots.cpu_seconds:.2f})",
        f"{fields.seconds:.2f} ({fields.cpu_seconds:.2f})",
        f"{grown_by / MIB:.0f}",
        f"{loop / hotspots.cpu_seconds:,.0f}",
    ]


def plain_loop_seconds(area: Area, findings: SlideFindings) -> float:
    """What the plain loop would take for all centres, the splits not counted."""
    ladder = Ladder.of(HotspotRule(), unit_um=UNIT_UM)
    grid = UnitGrid.of(area, findings, margin=ladder.margin)
    assert grid is not None
    at = centres(grid, ladder)
    some = np.random.default_rng(0).choice(at, LOOPED, replace=False)
    started = time.process_time()
    for x, y in zip(*grid.centre(some), strict=True):
        for um in ladder.um:
            inside = np.hypot(area.cells.x - x, area.cells.y - y) <= um / L0_UM / 2
            if inside.sum() >= ladder.cells:
                break
        area.cells.class_id[inside].mean()
    return (time.process_time() - started) / LOOPED * len(at)


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The hottest field of a slide: what was found, what is true of its cells, and what remains, three ways."""

    raw: float
    true: float
    halves: float
    covered: bool
    cells: float
    blocks: float


def reckoned(chance: Chance, order: Order, *, seed: int) -> Reckoned:
    """What remains of the hottest field of a slide of 6 mm²."""
    area, findings = made_slide(6, chance, seed)
    areas, hotspots = find_hotspots(area, findings, Conventions(hotspots=RULE))
    assert hotspots is not None
    number = [found.order for found in hotspots.found].index(order)
    found, own = hotspots.found[number], areas[number].cells
    true = float(chance(own.x * L0_UM, own.y * L0_UM).mean()) * (100 if order is Order.INDEX else PER_MM2)
    left = found.remaining
    assert left is not None and left.low is not None and left.high is not None
    rng = np.random.default_rng(seed)
    ladder = Ladder.of(RULE, unit_um=UNIT_UM)
    grid = UnitGrid.of(area, findings, margin=ladder.margin)
    assert grid is not None
    fields = possible_fields(grid, ladder)
    by_cells, by_blocks = (
        found.raw - float(np.mean([optimism(grid, ladder, fields, order, times) for times in resamples]))
        for resamples in (
            [rng.poisson(1, len(grid.x)) for _ in range(RESAMPLES)],
            [blocks_resampled(grid, rng) for _ in range(RESAMPLES)],
        )
    )
    return Reckoned(found.raw, true, left.value, left.low <= true <= left.high, by_cells, by_blocks)


def blocks_resampled(grid: UnitGrid, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """How often each cell is in a resample of blocks of 0.5 mm."""
    column, row = ((along * L0_UM // BLOCK_UM).astype(np.int64) for along in (grid.x, grid.y))
    blocks, block = np.unique(row * 1000 + column, return_inverse=True)
    return rng.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)))[block]


def optimism(
    grid: UnitGrid, ladder: Ladder, fields: Fields, order: Order, times: npt.NDArray[np.int64]
) -> float:
    """By how much the hottest field of resampled cells is hotter than that field is on the slide."""
    before, at = grid.counted_before(times), np.unique(fields.at)
    best = (-1.0, 0.0)
    for size, own, sums in grown(grid, ladder, before, at, np.zeros(len(at), np.int64)):
        mm2 = tissue_mm2(grid, ladder, at[own], size)
        places = hotspot_places(grid, ladder, at[own], np.full(len(own), size), mm2)
        score = np.where(places, score_of(order, Counted.of(sums), mm2), -1.0)
        first = int(np.argmax(score))
        if score[first] > best[0]:
            there = _of_slide(grid, ladder, int(at[own[first]]), size)
            best = float(score[first]), float(score_of(order, there, mm2[first : first + 1])[0])
    return best[0] - best[1]


def _of_slide(grid: UnitGrid, ladder: Ladder, at: int, size: int) -> Counted:
    """What the slide has in a field, whatever its cells."""
    any_size = Ladder(ladder.shape, 0, 0, ladder.um, ladder.unit_um)
    grown_once = grown(grid, any_size, grid.cells_before, np.array([at]), np.array([size]))
    return Counted.of(next(sums for reached, _, sums in grown_once if reached == size))


def selection(name: str, order: Order, slides: int) -> list[str]:
    """A row of the second table."""
    found = [reckoned(CHANCES[name], order, seed=seed) for seed in range(slides)]
    digits = 1 if order is Order.INDEX else 0
    raw, true, halves, cells, blocks = (
        f"{np.mean([getattr(each, of) for each in found]):.{digits}f}"
        for of in ("raw", "true", "halves", "cells", "blocks")
    )
    if order is Order.POSITIVES:  # a block drawn twice is twice as dense: it isn't meant for that
        blocks = ""
    error = np.std([each.halves - each.true for each in found]) / slides**0.5
    covered = np.mean([each.covered for each in found])
    return [
        f"{order}: {name}",
        raw,
        true,
        halves,
        f"± {error:.{digits + 1}f}",
        f"{covered:.0%}",
        cells,
        blocks,
    ]


SPEED = ("cells", "hotspots, s", "four fields, s", "MiB", "plain loop ×")
SELECTION = ("slides", "raw", "true", "halves", "error", "covered", "cells", "blocks")


@click.command()
@click.option(
    "--cells", type=Numbers(fractions=True), default="0.3,1,3", show_default=True, help="Sizes, in millions."
)
@click.option("--slides", default=40, show_default=True, help="Simulated for each row of the second table.")
def main(cells: list[float], slides: int) -> None:
    """Print both tables."""
    print(machine())
    print("seconds by the clock (of the processor); MiB: growth of the peak; the loop finds hotspots alone\n")
    slopes = ("20 % everywhere", "a slope, 10 to 30 %")
    print(table(SPEED, [in_fresh_process(speed, n, name) for n in cells for name in slopes]))
    print(
        f"\nthe hottest field, means of {slides} slides of 6 mm²; what remains by halves, resampled cells, blocks\n"
    )
    print(table(SELECTION, [selection(name, order, slides) for order in Order for name in CHANCES]))


if __name__ == "__main__":
    main()
