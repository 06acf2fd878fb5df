"""Cells as arrays."""

import numpy as np
import pytest

from wsi_edt.cells import CellClass, Cells


def cells(*rows: tuple[float, float, float, int]) -> Cells:
    x, y, score, class_id = np.array(rows, np.float64).reshape(-1, 4).T
    return Cells(x.copy(), y.copy(), score.astype(np.float32), class_id.astype(np.uint8))


def test_concatenate_select_and_count() -> None:
    both = Cells.concatenate([cells((1, 2, 0.5, 1)), Cells.empty(), cells((3, 4, 0.6, 0), (5, 6, 0.7, 1))])
    assert both.x.tolist() == [1, 3, 5]
    assert both.count(CellClass.POSITIVE) == 2
    assert both.select(both.class_id == CellClass.NEGATIVE).y.tolist() == [4]
    assert len(Cells.concatenate([])) == 0


def test_sorted_by_y_then_x() -> None:
    found = cells((5, 1, 0.1, 1), (1, 2, 0.2, 1), (4, 1, 0.3, 0)).sorted_by_position()
    assert list(zip(found.x.tolist(), found.y.tolist(), strict=True)) == [(4, 1), (5, 1), (1, 2)]


def test_labels_are_qupaths() -> None:
    assert [CellClass(value).label for value in (0, 1, 2)] == ["Negative", "Positive", "Nucleus"]


def test_columns_must_agree() -> None:
    with pytest.raises(AssertionError):
        Cells(np.zeros(2), np.zeros(1), np.zeros(2, np.float32), np.zeros(2, np.uint8))


def test_cells_in_order_are_left_as_they_are() -> None:
    # A slide's cells come in order: sorting ten million again takes seconds and twice their memory.
    cells = Cells(
        np.array([1.0, 2.0, 0.0]),
        np.array([5.0, 5.0, 6.0]),
        np.ones(3, np.float32),
        np.array([1, 0, 0], np.uint8),
    )
    assert cells.sorted_by_position() is cells
    assert Cells.empty().sorted_by_position().x.size == 0
    twins = cells.select(np.array([0, 0, 1, 2]))  # one place: the class decides
    assert twins.sorted_by_position() is not twins
