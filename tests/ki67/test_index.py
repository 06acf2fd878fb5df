"""The index and when there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.cells import Cells
from wsi_edt.ki67.index import NO_CELLS, NO_CLASSES, NO_DAB, NO_TISSUE, score_cells


def cells(positive: int, negative: int, unclassified: int = 0) -> Cells:
    class_id = np.repeat(np.array([1, 0, 2], np.uint8), [positive, negative, unclassified])
    n = len(class_id)
    return Cells(np.arange(n, dtype=np.float64), np.zeros(n), np.ones(n, np.float32), class_id)


def test_counts_density_and_index() -> None:
    score = score_cells(cells(150, 450), area_mm2=0.25)
    assert (score.positive, score.negative, score.total) == (150, 450, 600)
    assert score.index_percent == 25.0
    assert score.cells_per_mm2 == 2400.0
    assert score.assessable
    assert score.reason is None
    assert not score.few_cells


def test_no_cells_is_not_zero_percent() -> None:
    score = score_cells(Cells.empty(), area_mm2=3.0)
    assert score.index_percent is None
    assert not score.assessable
    assert score.reason == NO_CELLS
    assert score.cells_per_mm2 == 0.0


def test_only_negative_cells_is_zero_percent() -> None:
    score = score_cells(cells(0, 700), area_mm2=1.0)
    assert score.assessable
    assert score.index_percent == 0.0


def test_without_tissue_there_is_no_density() -> None:
    score = score_cells(Cells.empty(), area_mm2=0.0)
    assert score.cells_per_mm2 is None
    assert score.reason == NO_TISSUE


def test_no_cells_are_few() -> None:
    assert score_cells(Cells.empty(), area_mm2=3.0).few_cells
    assert score_cells(cells(0, 0, 499), area_mm2=3.0).few_cells
    assert not score_cells(cells(0, 0, 500), area_mm2=3.0).few_cells


@pytest.mark.parametrize("given_cells", [Cells.empty(), cells(30, 70), cells(0, 0, 9)])
def test_without_dab_there_is_no_index_whatever_the_cells(given_cells: Cells) -> None:
    score = score_cells(given_cells, area_mm2=1.0, staining_note=NO_DAB)
    assert score.index_percent is None
    assert score.reason == NO_DAB
    assert score.total == len(given_cells)


def test_nuclei_without_a_class_give_no_index() -> None:
    score = score_cells(cells(0, 0, 800), area_mm2=1.0)
    assert score.reason == NO_CLASSES
    assert score.total == 800
    assert score.cells_per_mm2 == 800.0


def test_nuclei_without_a_class_are_no_part_of_the_index() -> None:
    score = score_cells(cells(150, 450, 400), area_mm2=1.0)
    assert score.index_percent == 25.0
    assert score.total == 1000


@pytest.mark.parametrize(
    ("positive", "negative", "few"), [(499, 0, True), (250, 249, True), (250, 250, False)]
)
def test_the_flag_stands_below_500_classified_cells(positive: int, negative: int, few: bool) -> None:
    assert score_cells(cells(positive, negative, 1000), area_mm2=1.0).few_cells is few


@given(positive=st.integers(0, 300), negative=st.integers(0, 300), seed=st.integers(0, 9))
def test_the_order_of_cells_does_not_matter(positive: int, negative: int, seed: int) -> None:
    ordered = cells(positive, negative)
    shuffled = ordered.select(np.random.default_rng(seed).permutation(len(ordered)))
    score = score_cells(shuffled, area_mm2=1.0)
    assert score == score_cells(ordered, area_mm2=1.0)
    assert (score.index_percent is None) == (positive + negative == 0)
    if score.index_percent is not None:
        assert score.index_percent * (positive + negative) == pytest.approx(100 * positive)
