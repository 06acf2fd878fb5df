"""The numbers of an area, and when there is no index."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ki67.made import cells, findings, result
from wsi_edt.ki67 import NUMBERS, Conventions, assess
from wsi_edt.ki67.findings import classes_of_stain
from wsi_edt.slides import Staining


def test_counts_density_and_index() -> None:
    whole = result(150, 450, mm2=0.25).whole
    assert dict(whole.values) == {
        "index_percent": 25.0,
        "index_low_percent": None,
        "index_high_percent": None,
        "blocks": 1,
        "block_mm": 0.5,
        "positive": 150,
        "negative": 450,
        "unclassified": 0,
        "total": 600,
        "few_cells": False,
        "area_mm2": 0.25,
        "cells_per_mm2": 2400.0,
        **dict.fromkeys(
            ("strength_0", "strength_1", "strength_2", "strength_3", "h_score", "positive_dab_od")
        ),
    }
    assert whole.assessable
    assert whole.reason is None


def test_the_whole_tissue_is_the_only_area_and_comes_first() -> None:
    (area,) = result(1, 1).areas
    assert (area.kind, area.name) == ("whole tissue", "whole tissue")


def test_no_cells_is_not_zero_percent() -> None:
    whole = result(mm2=3.0).whole
    assert whole.index_percent is None
    assert not whole.assessable
    assert whole.reason == "no cells"
    assert whole.values["cells_per_mm2"] == 0.0


def test_only_negative_cells_is_zero_percent() -> None:
    whole = result(0, 700).whole
    assert whole.assessable
    assert whole.index_percent == 0.0


def test_without_tissue_there_is_no_density() -> None:
    whole = result(mm2=0.0).whole
    assert whole.values["cells_per_mm2"] is None
    assert whole.reason == "no tissue"


def test_few_cells_are_about_an_index() -> None:
    """Without one there are neither few cells nor enough."""
    for found in (result(), result(0, 0, 499), result(3, 4, staining=Staining.HE)):
        assert found.whole.values["few_cells"] is None
        assert not found.whole.few_cells
    assert result(3, 4).whole.values["few_cells"] is True


@pytest.mark.parametrize(
    ("staining", "reason"),
    [
        (Staining.HE, "no DAB"),
        (Staining.NONE, "no DAB"),
        (Staining.GREY, "no colour"),
    ],
)
@pytest.mark.parametrize("counts", [(30, 70, 0), (0, 0, 9)])
def test_without_dab_there_is_no_index_whatever_the_cells(
    counts: tuple[int, int, int], staining: Staining, reason: str
) -> None:
    whole = result(*counts, staining=staining).whole
    assert whole.index_percent is None
    assert whole.reason == reason
    assert whole.total == sum(counts)


def test_nothing_found_is_the_reason_before_the_stain() -> None:
    assert result(staining=Staining.HE).whole.reason == "no cells"


def test_nuclei_without_a_class_have_no_index() -> None:
    whole = result(0, 0, 800).whole
    assert whole.reason == "the model doesn't tell positive from negative"
    assert whole.total == 800


def test_nuclei_without_a_class_are_not_part_of_the_index() -> None:
    whole = result(150, 450, 400).whole
    assert whole.index_percent == 25.0
    assert whole.total == 1000


@pytest.mark.parametrize(
    ("positive", "negative", "few"), [(499, 0, True), (250, 249, True), (250, 250, False)]
)
def test_the_flag_stands_below_500_classified_cells(positive: int, negative: int, few: bool) -> None:
    assert result(positive, negative, 1000).whole.few_cells is few


def test_conventions_say_what_few_is() -> None:
    assert assess(findings(3, 5), Conventions(least_cells=9)).whole.few_cells
    assert not assess(findings(3, 5), Conventions(least_cells=8)).whole.few_cells


def test_what_is_computed_is_what_is_read_back() -> None:
    whole = result(1, 2, mm2=1.23456789).whole
    assert whole.index_percent == 33.3333
    assert whole.values["area_mm2"] == 1.234568
    assert whole.values["cells_per_mm2"] == 2.43


def test_the_stain_takes_classes_away_but_no_cell() -> None:
    found = cells(2, 1)
    assert classes_of_stain(found, Staining.DAB).class_id.tolist() == [1, 1, 0]
    for staining in (Staining.HE, Staining.GREY, Staining.NONE):
        assert classes_of_stain(found, staining).class_id.tolist() == [2, 2, 2]


def test_numbers_have_names_of_their_own() -> None:
    names = [number.name for number in NUMBERS]
    assert len(set(names)) == len(names)
    assert not {"slide", "status", "reason", "assessable", "kind", "name"} & set(names)


@given(positive=st.integers(0, 300), negative=st.integers(0, 300), seed=st.integers(0, 9))
def test_the_order_of_cells_does_not_matter(positive: int, negative: int, seed: int) -> None:
    ordered = findings(positive, negative)
    order = np.random.default_rng(seed).permutation(len(ordered.cells))
    shuffled = replace(ordered, cells=ordered.cells.select(order))
    whole = assess(shuffled, Conventions()).whole
    assert whole == assess(ordered, Conventions()).whole
    assert (whole.index_percent is None) == (positive + negative == 0)
    if whole.index_percent is not None:
        assert whole.index_percent * (positive + negative) == pytest.approx(100 * positive, abs=0.04)
