"""The interval of an index: simulated tissue with a known index, brute force, and exact intervals of independent cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wsi_edt.cells import Cells
from wsi_edt.ki67.covariance import Squares, _by_distance, fitted_spread
from wsi_edt.ki67.interval import Interval, NoInterval, Without, index_interval

MM_PER_PX = 0.00025
FloatArray = npt.NDArray[np.float64]


def cells_at(x_mm: FloatArray, y_mm: FloatArray, class_id: npt.ArrayLike) -> Cells:
    classes = np.broadcast_to(np.asarray(class_id, np.uint8), x_mm.shape).copy()
    return Cells(x_mm / MM_PER_PX, y_mm / MM_PER_PX, np.ones(len(x_mm), np.float32), classes)


def independent(seed: int, count: int, width: float, height: float, share: float) -> Cells:
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, width, count), random.uniform(0, height, count)
    return cells_at(x, y, random.random(count) < share)


def nests(seed: int, width: float, height: float, *, per_mm2: float = 8, radius: float = 0.15) -> Cells:
    """Round nests of about 40 cells, each with a share of positive ones from Beta(1, 4): the index is 20 %."""
    random = np.random.default_rng(seed)
    count = random.poisson(per_mm2 * (width + 2 * radius) * (height + 2 * radius))
    nest = np.repeat(np.arange(count), random.poisson(40, count))
    angle, far = random.uniform(0, 2 * np.pi, len(nest)), radius * np.sqrt(random.random(len(nest)))
    x = random.uniform(-radius, width + radius, count)[nest] + far * np.cos(angle)
    y = random.uniform(-radius, height + radius, count)[nest] + far * np.sin(angle)
    positive = random.random(len(nest)) < random.beta(1, 4, count)[nest]
    held = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return cells_at(x[held], y[held], positive[held])


def interval_of(cells: Cells) -> Interval:
    interval = index_interval(cells, mm_per_px=MM_PER_PX)
    assert isinstance(interval, Interval), interval
    return interval


@pytest.fixture(scope="module")
def slides() -> list[Cells]:
    """100 slides of clustered cells, whose index is 20 %."""
    return [nests(seed, 5, 4) for seed in range(100)]


@pytest.fixture(scope="module")
def intervals(slides: list[Cells]) -> list[Interval]:
    return [interval_of(slide) for slide in slides]


def test_it_holds_the_truth_of_clustered_cells(slides: list[Cells], intervals: list[Interval]) -> None:
    """In 95 of 100 slides, with a standard deviation of 2.2; that of as many independent cells in half as many."""
    assert 90 <= sum(one.low_percent <= 20 <= one.high_percent for one in intervals) <= 99
    plain = [
        stats.binomtest(int(slide.class_id.sum()), len(slide)).proportion_ci(method="wilson")
        for slide in slides
    ]
    assert sum(found.low <= 0.2 <= found.high for found in plain) < 60


def test_probabilities_hold_too(intervals: list[Interval]) -> None:
    """What is 90 % likely comes true in 90 of 100 slides: on each side 10 lie beyond, with a standard deviation of 3."""
    above = np.array([one.probability_above(20.0) for one in intervals])
    assert 3 <= np.count_nonzero(above > 0.9) <= 18
    assert 3 <= np.count_nonzero(above < 0.1) <= 18


def test_independent_cells_have_about_the_binomial_interval() -> None:
    found = [interval_of(independent(seed, 20_000, 4, 3, 0.3)) for seed in range(20)]
    assert np.median([one.block_mm for one in found]) == 0.5
    assert np.median([one.blocks for one in found]) == 48
    binomial = 100 * 2 * 1.96 * (0.3 * 0.7 / 20_000) ** 0.5
    widths = [one.high_percent - one.low_percent for one in found]
    assert np.mean(widths) == pytest.approx(binomial, rel=0.15)


def test_its_variance_is_that_between_slides(slides: list[Cells]) -> None:
    """Within 35 %: the variance between 100 slides is known to 14 %."""
    shares = [slide.class_id.mean() for slide in slides]
    variances = [fitted_spread(squares_of(slide)).variance for slide in slides]
    assert np.mean(variances) == pytest.approx(np.var(shares), rel=0.35)


def squares_of(cells: Cells, side_mm: float = 0.125) -> Squares:
    x, y = cells.x * MM_PER_PX, cells.y * MM_PER_PX
    edges = [np.arange(0, values.max() + side_mm, side_mm) for values in (y, x)]
    counted = np.histogram2d(y, x, edges)[0]
    return Squares(np.histogram2d(y, x, edges, weights=cells.class_id)[0], counted, side_mm)


def test_larger_nests_have_larger_blocks() -> None:
    small, large = (
        interval_of(nests(3, 10, 8, radius=radius, per_mm2=per_mm2))
        for radius, per_mm2 in ((0.1, 8), (0.4, 2))
    )
    assert small.block_mm == 0.5
    assert 1.0 <= large.block_mm <= 2.0
    assert large.block_mm / 0.125 == round(large.block_mm / 0.125)


@pytest.mark.parametrize(
    ("width", "height", "blocks"), [(2.4, 1.9, None), (2.4, 2.4, 25), (0.4, 9.4, None), (0.4, 10.4, 21)]
)
def test_none_under_20_blocks(width: float, height: float, blocks: int | None) -> None:
    found = index_interval(independent(1, 30_000, width, height, 0.2), mm_per_px=MM_PER_PX)
    if blocks is None:
        assert isinstance(found, Without)
        assert found.reason is NoInterval.FEW_BLOCKS
        assert found.block_mm == 0.5
        assert found.blocks is not None
        assert found.blocks < 20
    else:
        assert isinstance(found, Interval)
        assert found.blocks == blocks


def reason(cells: Cells) -> NoInterval | None:
    found = index_interval(cells, mm_per_px=MM_PER_PX)
    return found.reason if isinstance(found, Without) else None


def test_none_where_the_index_changes_from_end_to_end() -> None:
    """From 5 to 50 % over 12 mm: 480 blocks of 0.5 mm, but none of them independent of the next."""
    random = np.random.default_rng(0)
    x, y = random.uniform(0, 12, 100_000), random.uniform(0, 10, 100_000)
    slide = cells_at(x, y, random.random(100_000) < 0.05 + 0.45 * x / 12)
    found = index_interval(slide, mm_per_px=MM_PER_PX)
    assert isinstance(found, Without)
    assert found.reason is NoInterval.LARGE_BLOCKS
    assert found.blocks is not None
    assert found.block_mm is not None
    assert 1 <= found.blocks < 20
    assert found.block_mm > (12 * 10 / 20) ** 0.5, "20 blocks of it are more than the tissue"


def test_blocks_that_hold_few_cells_count_for_less_than_one() -> None:
    """15 full blocks and 10 of a hundredth of the cells are worth 15.2."""
    full = independent(1, 15_000, 7.5, 0.5, 0.2)
    sparse = independent(2, 100, 5, 0.5, 0.2)
    both = Cells.concatenate([full, replace(sparse, y=sparse.y + 0.5 / MM_PER_PX)])
    assert reason(both) is NoInterval.FEW_BLOCKS


def test_no_cells_have_no_interval() -> None:
    assert reason(Cells.empty()) is NoInterval.FEW_BLOCKS
    nuclei = cells_at(np.arange(100.0), np.arange(100.0), 2)
    assert reason(nuclei) is NoInterval.FEW_BLOCKS


def test_nuclei_without_a_class_change_nothing() -> None:
    slide = nests(1, 4, 3)
    nuclei = independent(5, 3000, 9, 9, 0.0)
    with_them = Cells.concatenate([slide, replace(nuclei, class_id=np.full(3000, 2, np.uint8))])
    assert ends(interval_of(with_them)) == ends(interval_of(slide))


def ends(interval: Interval) -> tuple[float, float, int, float]:
    return interval.low_percent, interval.high_percent, interval.blocks, interval.block_mm


def test_the_same_cells_in_any_order_and_at_any_place_have_the_same_interval() -> None:
    slide = nests(1, 4, 3)
    order = np.random.default_rng(0).permutation(len(slide))
    assert ends(interval_of(slide.select(order))) == ends(interval_of(slide))
    moved = replace(slide, x=slide.x + 2.0**20)
    assert interval_of(moved).drawn_percent.tobytes() == interval_of(slide).drawn_percent.tobytes()


def test_positive_and_negative_mirror_each_other() -> None:
    slide = nests(1, 4, 3)
    one, other = interval_of(slide), interval_of(replace(slide, class_id=1 - slide.class_id))
    assert (other.low_percent, other.high_percent) == pytest.approx(
        (100 - one.high_percent, 100 - one.low_percent), abs=1e-9
    )


def test_what_lies_between_pieces_of_tissue_is_no_block() -> None:
    """Two pieces of 20 blocks each; the second begins 40 mm to the right of the first cell."""
    one = independent(1, 8000, 2.4, 1.9, 0.2)
    other = independent(2, 8000, 2.4, 1.9, 0.2)
    moved = other.x - other.x.min() + one.x.min() + 40 / MM_PER_PX
    both = Cells.concatenate([one, replace(other, x=moved)])
    found = interval_of(both)
    assert found.blocks == 40
    assert found.low_percent < 20 < found.high_percent


def test_a_grid_of_wide_px_stays_small() -> None:
    """Cells over a metre, as a wrong µm/px makes them."""
    slide = independent(1, 20_000, 1000, 1000, 0.2)
    found = interval_of(slide)
    assert found.block_mm >= 1
    assert found.low_percent < 20 < found.high_percent


def test_probabilities_go_with_the_ends() -> None:
    found = interval_of(nests(1, 4, 3))
    assert found.probability_above(found.low_percent) == pytest.approx(0.975, abs=0.001)
    assert found.probability_above(found.high_percent) == pytest.approx(0.025, abs=0.001)
    assert 0 < found.probability_above(99.9) < 0.001
    assert 0.999 < found.probability_above(0.01) < 1
    assert np.all(np.diff(found.drawn_percent) >= 0)


def lattice(side_mm: float, squares: int) -> tuple[FloatArray, FloatArray]:
    """A point in the middle of each of squares × squares."""
    middle = (np.arange(squares) + 0.5) * side_mm
    x, y = np.meshgrid(middle, middle)
    return x.ravel(), y.ravel()


@pytest.mark.parametrize("positive", [0, 1])
def test_of_none_or_all_it_has_one_side(positive: int) -> None:
    """Three cells in each of 24 × 24 squares, each of which counts as one cell: 1 - 0.025^(1 / 576) = 0.638 %."""
    x, y = lattice(0.125, 24)
    found = interval_of(cells_at(np.repeat(x, 3), np.repeat(y, 3), positive))
    if positive:
        assert found.low_percent == pytest.approx(99.362, abs=0.002)
        assert found.high_percent == 100
        assert found.probability_above(99) > 0.99
    else:
        assert found.low_percent == 0
        assert found.high_percent == pytest.approx(0.638, abs=0.002)
        assert found.probability_above(1) < 0.01


def test_of_few_positive_cells_it_is_nearly_the_exact_one() -> None:
    """Four positive ones far from each other among 5,184 cells."""
    x, y = lattice(0.0417, 72)
    class_id = np.zeros(len(x), np.uint8)
    class_id[[300, 1500, 2700, 4100]] = 1
    found = interval_of(cells_at(x, y, class_id))
    exact = stats.binomtest(4, len(x)).proportion_ci(method="exact")
    assert found.low_percent == pytest.approx(100 * exact.low, rel=0.05)
    assert found.high_percent == pytest.approx(100 * exact.high, rel=0.05)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 7), columns=st.integers(1, 7))
def test_pairs_by_distance_are_all_pairs(seed: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    counted = random.integers(0, 9, (rows, columns)).astype(float)
    residuals = random.normal(size=(rows, columns))
    row, column = np.divmod(np.arange(rows * columns), columns)
    distance = np.rint(np.hypot(row[:, None] - row, column[:, None] - column)).astype(int)
    products, pairs = _by_distance(residuals, counted)
    for far in range(distance.max() + 1):
        which = distance == far
        assert products[far] == pytest.approx(np.outer(residuals, residuals)[which].sum(), abs=1e-9)
        assert pairs[far] == pytest.approx(np.outer(counted, counted)[which].sum(), abs=1e-9)


def test_blocks_are_sums_of_squares() -> None:
    """By hand: 2 × 2 blocks of 3 × 3 squares, the last of which holds nothing."""
    counted = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 0]])
    positive = np.array([[1.0, 0, 1], [0, 2, 0], [3, 0, 0]])
    found = Squares(positive, counted, 0.125).blocks(2)
    assert [values.tolist() for values in found] == [[3.0, 1.0, 3.0], [12.0, 9.0, 15.0]]
