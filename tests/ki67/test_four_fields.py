"""The weighted global method, worked out by hand, and on made slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from shapely import box

from tests.ki67.made_slides import L0_UM, cells_at, poisson_slide, slide_of, tissue_of
from wsi_edt.cells import Cells
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.four_fields import Stratum, Tally, count_fields, field_weights, indices
from wsi_edt.ki67.strata import allotted

NEGLIGIBLE, LOW, MEDIUM, HIGH = Stratum


def counted(shares: dict[Stratum, float], fields: Sequence[tuple[Stratum, int, int]]) -> tuple[float, float]:
    tallies = [Tally(*field) for field in fields]
    weights = field_weights(shares, tallies)
    assert sum(weights) == pytest.approx(1)
    return indices(weights, tallies)


def test_one_field_of_each_stratum() -> None:
    """0.1 × 1 % + 0.4 × 8 % + 0.3 × 25 % + 0.2 × 60 % = 22.8 %; 94 of 400 are 23.5 %."""
    weighted, unweighted = counted(
        {NEGLIGIBLE: 0.1, LOW: 0.4, MEDIUM: 0.3, HIGH: 0.2},
        [(NEGLIGIBLE, 1, 99), (LOW, 8, 92), (MEDIUM, 25, 75), (HIGH, 60, 40)],
    )
    assert weighted == pytest.approx(22.8)
    assert unweighted == pytest.approx(23.5)


def test_fields_of_one_stratum_are_counted_together() -> None:
    """Low: 5 + 7 + 6 of 100 + 100 + 50 are 7.2 %; 0.75 × 7.2 % + 0.25 × 40 % = 15.4 %; 58 of 350 are 16.57 %."""
    weighted, unweighted = counted(
        {LOW: 0.75, HIGH: 0.25}, [(LOW, 5, 95), (LOW, 7, 93), (LOW, 6, 44), (HIGH, 40, 60)]
    )
    assert weighted == pytest.approx(15.4)
    assert unweighted == pytest.approx(16.5714, abs=1e-4)


def test_weights_are_of_the_strata_with_cells() -> None:
    """A fifth of the tissue is negligible and has no field: (0.5 × 6 % + 0.3 × 46 %) / 0.8 = 21 %."""
    weighted, _ = counted({NEGLIGIBLE: 0.2, LOW: 0.5, HIGH: 0.3}, [(LOW, 6, 94), (HIGH, 23, 27)])
    assert weighted == pytest.approx(21.0)


@pytest.mark.parametrize(
    ("shares", "fields"),
    [
        ({NEGLIGIBLE: 0.7, LOW: 0.1, MEDIUM: 0.1, HIGH: 0.1}, [1, 1, 1, 1]),
        ({LOW: 0.2, MEDIUM: 0.5, HIGH: 0.3}, [1, 2, 1]),
        ({NEGLIGIBLE: 0.2, LOW: 0.3, HIGH: 0.5}, [1, 1, 2]),
        ({LOW: 0.6, MEDIUM: 0.4}, [2, 2]),
        ({LOW: 0.3, MEDIUM: 0.2}, [2, 2]),  # 60 and 40 % of what has cells
        ({LOW: 0.7, MEDIUM: 0.3}, [3, 1]),
        ({LOW: 0.3, MEDIUM: 0.1}, [3, 1]),  # 75 and 25 %
        ({NEGLIGIBLE: 0.1, HIGH: 0.9}, [1, 3]),
        ({HIGH: 0.4}, [4]),
    ],
)
def test_strata_get_fields_as_the_working_groups_counter_says(
    shares: dict[Stratum, float], fields: list[int]
) -> None:
    assert allotted(shares) == dict(zip(shares, fields, strict=True))


def strips(
    percents: Sequence[float], *, height: int = 60, per_square: int = 400
) -> tuple[Area, SlideFindings]:
    """Strips of squares of 300 µm, from left to right, each with that share of positive cells in every square."""
    rng = np.random.default_rng(0)
    x, y, positive = [], [], []
    for column, percent in enumerate(percents):
        for row in range(height // 30):
            x.append(300 * (column + rng.random(per_square)))
            y.append(300 * (row + rng.random(per_square)))
            positive.append(rng.permutation(per_square) < round(percent * per_square / 100))
    cells = cells_at(np.concatenate(x), np.concatenate(y), np.concatenate(positive))
    return slide_of(cells, tissue_of(np.ones((height, 30 * len(percents)), np.bool_)))


def test_a_slide_of_four_strata() -> None:
    area, found = strips([0.5, 5, 5, 20, 60])
    areas, fields = count_fields(area, found, Conventions())
    assert fields is not None
    assert [field.stratum for field in fields.fields] == [NEGLIGIBLE, LOW, MEDIUM, HIGH]
    assert [field.share for field in fields.fields] == pytest.approx([0.2, 0.4, 0.2, 0.2])
    assert [field.weight for field in fields.fields] == pytest.approx([0.2, 0.4, 0.2, 0.2])
    assert [field.positive + field.negative for field in fields.fields] == [100] * 4
    each = [100 * field.positive / (field.positive + field.negative) for field in fields.fields]
    assert fields.weighted.value == pytest.approx(np.dot([0.2, 0.4, 0.2, 0.2], each))
    assert fields.unweighted.value == pytest.approx(sum(each) / 4)
    columns = [int(own.place.x * L0_UM // 300) for own in areas if own.place is not None]
    assert columns[0] == 0 and columns[1] in (1, 2) and columns[2:] == [3, 4]


def test_the_nearest_cells_are_counted() -> None:
    area, found = strips([3, 40], height=30)
    areas, fields = count_fields(area, found, Conventions(field_cells=70))
    assert fields is not None and len(areas) == 2  # there are no more squares
    for own, field in zip(areas, fields.fields, strict=True):
        assert (own.kind, own.name) == (AreaKind.FIELD, field.area)
        assert own.place is not None
        distance = np.hypot(area.cells.x - own.place.x, area.cells.y - own.place.y)
        nearest = np.sort(np.argsort(distance)[:70])
        assert own.cells.x.tolist() == area.cells.x[nearest].tolist()
        assert own.place.contains(own.cells.x, own.cells.y).all()
        assert own.place.contains(area.cells.x, area.cells.y).sum() == 70
        assert field.positive == (area.cells.class_id[nearest] == 1).sum()
        assert own.mm2 == pytest.approx(np.pi * (own.place.size_um / 2000) ** 2, rel=0.02)


def test_where_there_are_fewer_cells_all_are_counted() -> None:
    area, found = strips([50], height=30, per_square=60)
    (own,), fields = count_fields(area, found, Conventions())
    assert fields is not None and own.place is not None
    assert own.place.size_um == 300
    inside = np.hypot(area.cells.x * L0_UM - 150, area.cells.y * L0_UM - 150) <= 150
    assert len(own.cells) == inside.sum() < 60
    positive = fields.fields[0].positive
    expected = binomtest(positive, len(own.cells)).proportion_ci(method="wilson")
    assert fields.weighted.low == pytest.approx(100 * expected.low, abs=0.01)
    assert fields.weighted.high == pytest.approx(100 * expected.high, abs=0.01)


def test_one_field_says_as_little_as_its_cells_do() -> None:
    """All there is are 100 cells, 25 of them positive: 17.5 to 34.3 % (Wilson), as though the tissue went on."""
    rng = np.random.default_rng(0)
    angle, radius = 2 * np.pi * rng.random(100), 140 * np.sqrt(rng.random(100))
    cells = cells_at(150 + radius * np.cos(angle), 150 + radius * np.sin(angle), np.arange(100) < 25)
    _, fields = count_fields(*slide_of(cells, tissue_of(np.ones((30, 30), np.bool_))), Conventions())
    assert fields is not None
    assert fields.weighted == fields.unweighted
    assert (fields.weighted.value, fields.weighted.low, fields.weighted.high) == pytest.approx(
        (25.0, 17.55, 34.30), abs=0.01
    )


def test_of_no_positive_cell_the_interval_tells_how_many_there_may_be() -> None:
    """0 of 400 in four fields: 0 to 0.95 % (Wilson)."""
    area, found = strips([0, 0, 0])
    _, fields = count_fields(area, found, Conventions())
    assert fields is not None
    assert (fields.weighted.low, fields.weighted.high) == pytest.approx((0.0, 0.951), abs=0.001)


def test_slivers_and_sparse_squares_are_no_stratum_of_their_own() -> None:
    """The area ends 60 µm into a third column, all positive there, and a third row has 49 cells a square."""
    rng = np.random.default_rng(0)
    x, y = rng.random(3600) * 660, rng.random(3600) * 900
    sparse = y > 600
    kept = ~sparse | (rng.permutation(3600) < 200)
    in_square = [sparse & (x >= left) & (x < left + 300) for left in (0, 300)]
    for which in in_square:
        kept[which] = False
        kept[np.flatnonzero(which)[:49]] = True
    positive = (x > 600) | sparse | (rng.random(3600) < 0.05)
    held = np.zeros((90, 90), np.bool_)
    held[:, :66] = True
    area, found = slide_of(cells_at(x[kept], y[kept], positive[kept]), tissue_of(held))
    areas, fields = count_fields(area, found, Conventions())
    assert fields is not None
    assert {field.stratum for field in fields.fields} == {LOW}
    # Four of the squares are whole and full: 0.36 of 0.594 mm² of tissue.
    assert fields.fields[0].share == pytest.approx(0.36 / 0.594, abs=1e-3)
    assert sum(field.weight for field in fields.fields) == pytest.approx(1)
    assert all(
        own.place is not None and own.place.x * L0_UM < 600 and own.place.y * L0_UM < 600 for own in areas
    )


def test_where_no_square_has_enough_cells_the_fuller_ones_are_drawn_from() -> None:
    """60 cells a square are in no disc: other squares could have been drawn, so there is an interval."""
    area, found = strips([10] * 6, per_square=60)
    _, fields = count_fields(area, found, Conventions())
    assert fields is not None and len(fields.fields) == 4
    assert all(30 < field.positive + field.negative < 60 for field in fields.fields)
    assert fields.weighted.low is not None


def test_tissue_with_few_cells_is_in_no_stratum() -> None:
    """The third strip has 19 cells a square, all positive: it says nothing, and weights are of the others."""
    full, _ = strips([5, 20])
    sparse, found = strips([0, 0, 100], per_square=19)
    right = sparse.cells.x * L0_UM > 600
    cells = Cells.concatenate([full.cells, sparse.cells.select(right)]).sorted_by_position()
    _, fields = count_fields(replace(sparse, cells=cells), found, Conventions())
    assert fields is not None
    assert {field.stratum: round(field.share, 4) for field in fields.fields} == {LOW: 0.3333, MEDIUM: 0.3333}
    assert sum(field.weight for field in fields.fields) == pytest.approx(1)


def test_only_cells_and_tissue_of_the_area_count() -> None:
    area, found = strips([5, 20, 60], height=30)
    inside = area.cells.select(area.cells.x * L0_UM <= 450)
    half = Area(AreaKind.REGION, "nest", inside, 0.1, shape=box(0, 0, 450 / L0_UM, 300 / L0_UM))
    areas, fields = count_fields(half, found, Conventions())
    assert fields is not None
    assert [field.share for field in fields.fields] == pytest.approx([2 / 3, 1 / 3], rel=0.01)
    assert max(own.cells.x.max() for own in areas) * L0_UM <= 450


def test_without_cells_there_are_no_fields() -> None:
    area, found = strips([5])
    for cells in (Cells.empty(), replace(area.cells, class_id=np.full(len(area.cells), 2, np.uint8))):
        assert count_fields(replace(area, cells=cells), found, Conventions()) == ((), None)


def test_the_same_cells_give_the_same_fields() -> None:
    area, found = strips([0.5, 5, 20, 60])
    once, again = (count_fields(area, found, Conventions())[1] for _ in range(2))
    assert once == again


def test_cells_of_a_field_that_are_alike_say_less() -> None:
    """Squares have 20 % each, but in their middles, which are counted, nearly 5 or 35 %.

    In four fields that is a standard error of 7.5 points; of 400 independent cells it is 2.
    """
    area, found = strips([0] * 10, height=120)
    x, y = area.cells.x * L0_UM % 300 - 150, area.cells.y * L0_UM % 300 - 150
    middle = np.hypot(x, y) < 95
    hot = (area.cells.x * L0_UM // 300 + area.cells.y * L0_UM // 300) % 2 == 0
    chance = np.where(middle, np.where(hot, 0.35, 0.05), np.where(hot, 0.122, 0.278))
    positive = np.random.default_rng(0).random(len(chance)) < chance
    cells = replace(area.cells, class_id=positive.astype(np.uint8))
    _, fields = count_fields(replace(area, cells=cells), found, Conventions())
    assert fields is not None and {field.stratum for field in fields.fields} == {MEDIUM}
    assert fields.weighted.low is not None and fields.weighted.high is not None
    assert 20 < fields.weighted.high - fields.weighted.low < 32


def test_intervals_hold_the_index_of_the_slide() -> None:
    """Of 40 slides with a slope 95 % of intervals hold the index; fewer than 34 would be chance once in 300 times."""
    held = 0
    for seed in range(40):
        area, found = poisson_slide(
            180, 240, per_mm2=4000, chance=lambda x, y: 0.01 + 0.5 * (x / 2400) ** 2, seed=seed
        )
        _, fields = count_fields(area, found, Conventions())
        assert fields is not None and fields.weighted.low is not None and fields.weighted.high is not None
        index = 100 * (area.cells.class_id == 1).mean()
        held += fields.weighted.low <= index <= fields.weighted.high
    assert held >= 34
