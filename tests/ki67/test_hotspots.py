"""Hotspots against a slow search of all fields, and what remains of them on slides with and without any."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from shapely import box

from tests.ki67.made_slides import (
    L0_UM,
    UNIT_UM,
    Chance,
    FloatArray,
    cells_at,
    poisson_slide,
    slide_of,
    tissue_of,
)
from wsi_edt.cells import Cells
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.conventions import Conventions, HotspotRule
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.hotspots import Hotspots, Order, find_hotspots
from wsi_edt.ki67.place import Shape
from wsi_edt.ki67.region_areas import tissue_raster


@dataclass(frozen=True)
class Slow:
    """A field of the slow search."""

    x_um: float
    y_um: float
    um: float
    score: float


def slow_search(area: Area, found: SlideFindings, rule: HotspotRule, order: Order) -> list[Slow]:
    """All fields one by one, as `find_hotspots` says what they are."""
    share = tissue_raster(area.shape, found.tissue, found.scale).astype(np.float64)
    rows, columns = share.shape
    classified = area.cells.class_id < 2
    x, y = area.cells.x[classified] * L0_UM, area.cells.y[classified] * L0_UM
    positive = area.cells.class_id[classified] == 1
    sizes = slow_sizes(rule)
    pitch = min(max(round(sizes[-1] / 16 / UNIT_UM), 1), 5)
    unit_y, unit_x = np.mgrid[:rows, :columns] * UNIT_UM + UNIT_UM / 2
    fields = []
    for row in range(pitch // 2, rows, pitch):
        for column in range(pitch // 2, columns, pitch):
            if share[row, column] < 0.5:
                continue
            cx, cy = (column + 0.5) * UNIT_UM, (row + 0.5) * UNIT_UM
            for um in sizes:
                inside = within(rule.shape, x - cx, y - cy, um)
                if inside.sum() >= (rule.cells / 2 if um == sizes[-1] else rule.cells):
                    break
            else:
                continue
            units = within(rule.shape, unit_x - cx, unit_y - cy, um)
            full = um**2 * (math.pi / 4 if rule.shape is Shape.DISC else 1) / 1e6
            mm2 = full * share[units].sum() / units.sum()
            on_slide = min(cx, cy, columns * UNIT_UM - cx, rows * UNIT_UM - cy) >= um / 2
            held = int((inside & positive).sum())
            if on_slide and mm2 >= 0.6 * full and held:
                score = 100 * held / inside.sum() if order is Order.INDEX else held / mm2
                fields.append(Slow(cx, cy, um, score))
    of_all = 100 * positive.mean() if order is Order.INDEX else positive.sum() / area.mm2
    return [field for field in not_overlapping(fields, rule) if field.score >= of_all * (1 - 1e-9)]


def slow_sizes(rule: HotspotRule) -> list[float]:
    """From the rule's area downwards, each √2 smaller; not below 40 µm² a cell, nor 50 µm across."""
    sizes: list[float] = []
    for step in range(60):
        um2 = rule.mm2 * 1e6 / math.sqrt(2) ** step
        um = 2 * math.sqrt(um2 / math.pi) if rule.shape is Shape.DISC else math.sqrt(um2)
        if step == 0 or (um2 >= 40 * rule.cells and um >= 50):
            sizes.insert(0, um)
    return sizes


def within(
    shape: Shape, dx: FloatArray, dy: FloatArray, um: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    if shape is Shape.SQUARE:
        return (np.abs(dx) <= um / 2) & (np.abs(dy) <= um / 2)
    return np.asarray(np.sqrt(dx**2 + dy**2) <= um / 2)


def not_overlapping(fields: list[Slow], rule: HotspotRule) -> list[Slow]:
    hot: list[Slow] = []
    for field in sorted(fields, key=lambda f: (-round(f.score, 6), f.y_um, f.x_um)):
        dx, dy = ([getattr(field, a) - getattr(other, a) for other in hot] for a in ("x_um", "y_um"))
        between = [
            max(abs(a), abs(b)) if rule.shape is Shape.SQUARE else math.hypot(a, b)
            for a, b in zip(dx, dy, strict=True)
        ]
        if all(d >= (field.um + other.um) / 2 for d, other in zip(between, hot, strict=True)):
            hot.append(field)
    return hot[: rule.count]


def agrees(area: Area, found: SlideFindings, rule: HotspotRule) -> Hotspots | None:
    """Checks the hotspots against the slow search, and each area against its place; returns them."""
    areas, hotspots = find_hotspots(area, found, Conventions(hotspots=rule))
    by_name = {spot.name: spot for spot in areas}
    assert len(by_name) == len(areas)
    for order in Order:
        spots = [spot for spot in hotspots.found if spot.order is order] if hotspots else []
        slow = slow_search(area, found, rule, order)
        assert [spot.rank for spot in spots] == list(range(1, len(slow) + 1))
        for spot, expected in zip(spots, slow, strict=True):
            own = by_name[spot.area]
            assert own.kind is AreaKind.HOTSPOT and own.place is not None
            assert own.place.x * L0_UM == pytest.approx(expected.x_um)
            assert own.place.y * L0_UM == pytest.approx(expected.y_um)
            assert own.place.size_um == pytest.approx(expected.um)
            assert own.place.size_px * L0_UM == pytest.approx(expected.um)
            assert spot.raw == pytest.approx(expected.score, abs=1e-4)
            classes = own.cells.class_id
            assert spot.raw == pytest.approx(
                100 * (classes == 1).sum() / (classes < 2).sum()
                if order is Order.INDEX
                else (classes == 1).sum() / own.mm2,
                abs=1e-4,
            )
    return hotspots


def patchy(
    seed: int, *, rows: int = 50, columns: int = 60, per_mm2: float = 5000
) -> tuple[Area, SlideFindings]:
    """A slide with glass in and around its tissue, and cells of three classes, with a warm and a dense side."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:rows, :columns]
    held = (row - rows / 2) ** 2 / (rows / 2) ** 2 + (column - columns / 2) ** 2 / (columns / 2) ** 2 < 1
    held &= np.hypot(row - rng.uniform(0, rows), column - rng.uniform(0, columns)) > 8
    count = rng.poisson(per_mm2 * rows * columns * 1e-4)
    x, y = rng.random(count) ** 0.8 * columns * UNIT_UM, rng.random(count) * rows * UNIT_UM
    on_tissue = held[(y // UNIT_UM).astype(int), (x // UNIT_UM).astype(int)]
    class_id = (rng.random(count) < 0.1 + 0.3 * y / y.max()).astype(np.uint8)
    class_id[rng.random(count) < 0.05] = 2
    return slide_of(cells_at(x[on_tissue], y[on_tissue], class_id[on_tissue]), tissue_of(held))


RULES = [
    HotspotRule(mm2=0.04, cells=60),
    HotspotRule(shape=Shape.SQUARE, mm2=0.04, cells=60),
    HotspotRule(mm2=0.012, cells=100, count=5),  # many fields reach no more than half of the cells
    HotspotRule(shape=Shape.SQUARE, mm2=0.0625, cells=500),  # 250 µm: whole units, and cells are few
    HotspotRule(mm2=0.01, cells=1, count=20),  # the smallest size there is, and many equal ones
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", [0, 1])
def test_hotspots_are_those_of_a_slow_search(rule: HotspotRule, seed: int) -> None:
    hotspots = agrees(*patchy(seed), rule)
    assert hotspots is not None and len(hotspots.found) >= 2


@pytest.mark.parametrize("rule", RULES[:2])
def test_on_a_lattice_all_fields_are_nearly_alike(rule: HotspotRule) -> None:
    """Bounds tell nothing apart there, and many fields are equal."""
    y, x = (np.mgrid[:28, :28] * 15.0 + 7.0).reshape(2, -1)
    positive = (np.arange(784) % 4 == 0).astype(np.uint8)
    agrees(*slide_of(cells_at(x, y, positive), tissue_of(np.ones((42, 42), np.bool_))), rule)


def test_all_positive_is_hottest_where_it_comes_first() -> None:
    area, found = patchy(3)
    all_positive = replace(area, cells=replace(area.cells, class_id=np.ones(len(area.cells), np.uint8)))
    hotspots = agrees(all_positive, found, RULES[0])
    assert hotspots is not None and hotspots.found[0].raw == 100


def test_of_equal_hotspots_the_upper_then_the_left_one_comes_first() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-60, 60, (2, 80))
    corners = [(385, 385), (385, 165), (165, 385)]  # x, y: lower right, upper right, lower left
    cells = cells_at(
        np.concatenate([x + left for left, _ in corners]),
        np.concatenate([y + top for _, top in corners]),
        np.tile(np.arange(80) % 2, 3),
    )
    area, found = slide_of(cells, tissue_of(np.ones((55, 55), np.bool_)))
    agrees(area, found, HotspotRule(mm2=0.01, cells=40))
    areas, _ = find_hotspots(area, found, Conventions(hotspots=HotspotRule(mm2=0.01, cells=40)))
    first = [spot.place for spot in areas[:3] if spot.place is not None]
    assert [(place.y < 1100, place.x < 1100) for place in first] == [
        (True, False),
        (False, True),
        (False, False),
    ]


def test_a_sliver_at_the_edge_is_no_hotspot() -> None:
    """All cells of a strip of 40 µm are positive, and so few of a broad one are."""
    held = np.zeros((60, 60), np.bool_)
    held[:, 2:6] = held[:, 25:] = True
    rng = np.random.default_rng(1)
    strip = np.arange(1200) < 120
    y = rng.random(1200) * 600
    x = np.where(strip, 20 + rng.random(1200) * 40, 250 + rng.random(1200) * 350)
    positive = strip | (np.arange(1200) % 10 == 0)
    area, found = slide_of(cells_at(x, y, positive), tissue_of(held))
    hotspots = agrees(area, found, HotspotRule(mm2=0.02, cells=60))
    assert hotspots is not None
    assert all(spot.raw < 50 for spot in hotspots.found if spot.order is Order.INDEX)


def test_only_cells_and_tissue_of_the_area_count() -> None:
    area, found = patchy(4)
    shape = box(200, 400, 1300, 1700)  # level-0 px
    inside = area.cells.select(
        (area.cells.x >= 200) & (area.cells.x <= 1300) & (area.cells.y >= 400) & (area.cells.y <= 1700)
    )
    region = Area(AreaKind.REGION, "nest", inside, 0.1, shape=shape)
    agrees(region, found, RULES[0])
    areas, _ = find_hotspots(region, found, Conventions(hotspots=RULES[0]))
    assert areas
    for spot in areas:
        assert spot.cells.x.min() >= 200 and spot.cells.x.max() <= 1300
        assert spot.place is not None and shape.contains(spot.place.polygon().centroid)


def why_none(area: Area, found: SlideFindings, rule: HotspotRule) -> str:
    """Why there is no hotspot; empty if there is one."""
    areas, hotspots = find_hotspots(area, found, Conventions(hotspots=rule))
    assert hotspots is not None and (not areas) == (not hotspots.found) == bool(hotspots.reason)
    return hotspots.reason


def test_where_there_is_none_the_reason_is_said() -> None:
    area, found = patchy(5)
    rule = HotspotRule(mm2=0.04, cells=60)
    assert why_none(area, found, rule) == ""
    large = HotspotRule(mm2=0.5, cells=5000)  # larger than the slide
    assert why_none(area, found, large) == (
        "no hotspot: no disc of 0.5 mm², 60 % of it tissue, holds 2\u202f500 cells with a class"
    )
    many = HotspotRule(shape=Shape.SQUARE, mm2=0.04, cells=4999)  # half of them are nowhere
    assert why_none(area, found, many) == (
        "no hotspot: no square of 0.04 mm², 60 % of it tissue, holds 2\u202f500 cells with a class"
    )
    none_positive = replace(area.cells, class_id=np.zeros(len(area.cells), np.uint8))
    assert why_none(replace(area, cells=none_positive), found, rule) == "no hotspot: no cell is positive"
    no_class = replace(area.cells, class_id=np.full(len(area.cells), 2, np.uint8))
    for without in (
        replace(area, cells=no_class),
        replace(area, cells=Cells.empty()),
        replace(area, shape=box(-90, -90, -10, -10), cells=Cells.empty()),
    ):
        assert why_none(without, found, rule) == "no hotspot: there are no cells with a class on tissue"


def test_none_are_looked_for_if_none_are_asked_for() -> None:
    assert find_hotspots(*patchy(5), Conventions(hotspots=HotspotRule(count=0))) == ((), None)


def test_a_slide_of_one_unit_has_none() -> None:
    cells = cells_at(np.full(9, 5.0), np.full(9, 5.0), np.ones(9, np.uint8))
    reason = why_none(*slide_of(cells, tissue_of(np.ones((1, 1), np.bool_))), HotspotRule())
    assert reason.endswith("holds 250 cells with a class")


def test_what_is_colder_than_all_the_tissue_is_no_hotspot() -> None:
    """A warm half of 40 % and a cold one of 10 %: on the cold one there is room for many more fields, and none is hot."""
    area, found = poisson_slide(
        100, 200, per_mm2=5000, chance=lambda x, y: np.where(x < 1000, 0.4, 0.1), seed=3
    )
    hotspots = agrees(area, found, HotspotRule(mm2=0.04, cells=100, count=20))
    assert hotspots is not None
    by_index = [spot.raw for spot in hotspots.found if spot.order is Order.INDEX]
    assert 5 < len(by_index) <= 20 and min(by_index) >= 100 * (area.cells.class_id == 1).mean()


def test_where_all_is_colder_at_every_place_that_is_looked_at_the_reason_is_said() -> None:
    """The positive cells lie along the slide's edge alone, where no disc has its centre."""
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 3000)) * 600
    edge = np.minimum(np.minimum(x, 600 - x), np.minimum(y, 600 - y)) < 15
    positive = edge.copy()
    positive[np.argmin(np.hypot(x - 300, y - 300))] = True
    cells = cells_at(x, y, positive)
    reason = why_none(
        *slide_of(cells, tissue_of(np.ones((60, 60), np.bool_))), HotspotRule(mm2=0.2, cells=9000 // 10)
    )
    assert (
        reason == "no hotspot: no disc of 0.2 mm², 60 % of it tissue, is hotter than all the tissue together"
    )


def test_the_same_cells_give_the_same_hotspots() -> None:
    area, found = patchy(6)
    once, again = (find_hotspots(area, found, Conventions(hotspots=RULES[0]))[1] for _ in range(2))
    assert once == again and once is not None
    assert all(spot.remaining is not None for spot in once.found)


@dataclass(frozen=True)
class Simulated:
    """Means over slides: of the hottest field, what remains of it, and what is true there."""

    raw: float
    remaining: float
    true: float
    covered: float


def simulate(made: Callable[[int], tuple[Area, SlideFindings]], chance: Chance, order: Order) -> Simulated:
    """The hottest field by an order of each of 24 slides of 4 mm² with 5000 cells/mm²."""
    rows = []
    for seed in range(24):
        areas, hotspots = find_hotspots(*made(seed), Conventions(hotspots=HotspotRule(count=1)))
        assert hotspots is not None
        number = [spot.order for spot in hotspots.found].index(order)
        spot, own = hotspots.found[number], areas[number].cells
        true = float(chance(own.x * L0_UM, own.y * L0_UM).mean()) * (100 if order is Order.INDEX else 5000)
        left = spot.remaining
        assert left is not None and left.low is not None and left.high is not None
        rows.append((spot.raw, left.value, true, left.low <= true <= left.high))
    return Simulated(*np.mean(rows, axis=0).tolist())


def even(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.full(len(x), 0.2)


def test_without_a_hotspot_what_remains_is_the_slides_index() -> None:
    """A mean of 24 slides has a standard error of 0.25 points; the raw index is far above."""
    index = simulate(
        lambda seed: poisson_slide(180, 220, per_mm2=5000, chance=even, seed=seed), even, Order.INDEX
    )
    assert index.raw > 23.5
    assert index.remaining == pytest.approx(20, abs=0.8)
    assert index.covered > 0.85


def test_without_a_hotspot_what_remains_is_the_slides_density() -> None:
    """Of nuclei that keep their distance, as nuclei do; the mean has a standard error of 13 cells/mm²."""

    def regular(seed: int) -> tuple[Area, SlideFindings]:
        rng = np.random.default_rng(seed)
        pitch = math.sqrt(1e6 / 5000)
        y, x = (np.mgrid[:127, :155] * pitch + rng.uniform(2, 12, (2, 127, 155))).reshape(2, -1)
        return slide_of(
            cells_at(x, y, rng.random(len(x)) < even(x, y)), tissue_of(np.ones((180, 220), np.bool_))
        )

    density = simulate(regular, even, Order.POSITIVES)
    assert density.raw > 1170
    assert density.remaining == pytest.approx(1000, abs=40)
    assert density.covered > 0.85


def test_of_a_true_hotspot_what_it_is_remains() -> None:
    def chance(x: FloatArray, y: FloatArray) -> FloatArray:
        return np.where(np.hypot(x - 1000, y - 900) < 300, 0.4, 0.15)

    index = simulate(
        lambda seed: poisson_slide(180, 220, per_mm2=5000, chance=chance, seed=seed), chance, Order.INDEX
    )
    assert index.raw > index.true + 1
    assert index.true > 38
    assert index.remaining == pytest.approx(index.true, abs=1.2)
    assert index.covered > 0.85
