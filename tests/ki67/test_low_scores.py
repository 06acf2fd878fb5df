"""Cells that a model is less sure of than usual: a doubt about the index, said in ki67.json, the table and the report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.ki67.made import findings
from wsi_edt.ki67 import Conventions, CountedBy, Ki67Result, assess
from wsi_edt.ki67.low_scores import LOW_SCORES, low_scores
from wsi_edt.report.rows import SummaryRow
from wsi_edt.slides import Staining

USUAL = CountedBy("ki67 1.0", "The model counts nuclei.", 0.17, 0.17, 0.36)


def result(
    score: float, *, cells: int = 1000, by: CountedBy = USUAL, staining: Staining = Staining.DAB
) -> Ki67Result:
    """Half of the cells have scores above that, half below it."""
    made = findings(cells // 2, cells - cells // 2, staining=staining)
    scores = np.linspace(score - 0.1, score + 0.1, cells, dtype=np.float32)
    return assess(replace(made, cells=replace(made.cells, score=scores), counted_by=by), Conventions())


def names(made: Ki67Result) -> list[str]:
    return [doubt.name for doubt in made.whole.doubts]


def test_cells_as_sure_as_usual_are_no_doubt() -> None:
    for score in (0.36, 0.5, 0.33):
        assert names(result(score)) == []
        assert SummaryRow.from_result(result(score), seconds=1).columns()["quality"] == ""


def test_less_sure_cells_are_a_doubt_everywhere_it_is_read() -> None:
    made = result(0.3)
    assert names(made) == [LOW_SCORES]
    assert "median score is 0.30, and 0.36 on" in made.whole.doubts[0].sentence
    again = Ki67Result.from_json(made.to_json())
    assert again == made
    assert made.to_json()["model_median_score"] == 0.36
    row = SummaryRow.from_result(again, seconds=1)
    assert (row.columns()["quality"], row.needs_a_look) == ("low scores", True)


@pytest.mark.parametrize(
    "by",
    [
        replace(USUAL, threshold=0.1),  # lets less sure cells in, which is said by itself
        replace(USUAL, model_median_score=None),
        replace(USUAL, threshold=None, model_threshold=None, model_median_score=None),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_compare_with(by: CountedBy) -> None:
    assert LOW_SCORES not in names(result(0.2, by=by))


def test_few_cells_say_nothing() -> None:
    assert low_scores(replace(findings(99, 0).cells, score=np.full(99, 0.2, np.float32)), USUAL) == ""
    assert low_scores(replace(findings(100, 0).cells, score=np.full(100, 0.2, np.float32)), USUAL) != ""


def test_without_an_index_there_is_nothing_to_doubt() -> None:
    assert names(result(0.2, staining=Staining.HE)) == []


def test_a_result_of_an_earlier_version_has_no_usual_score() -> None:
    fields = dict(result(0.36).to_json())
    del fields["model_median_score"]
    assert Ki67Result.from_json(fields).counted_by.model_median_score is None
