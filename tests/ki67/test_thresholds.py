"""The threshold that cells exceed: part of a result, and a doubt where it isn't the model's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.ki67.made import findings
from wsi_edt.ki67 import Conventions, CountedBy, Ki67Result, assess
from wsi_edt.ki67.reasons import Reason, reason_in_words


def by(threshold: float | None, own: float | None) -> CountedBy:
    return CountedBy("ki67 1.0", "The model counts nuclei.", threshold, own)


@pytest.mark.parametrize(
    ("threshold", "own", "name"),
    [
        (0.3, 0.17, "threshold 0.3 (the model's own is 0.17)"),
        (0.1, 0.17, "threshold 0.1 (the model's own is 0.17)"),
        (0.17, 0.17, None),
        (0.17, None, None),
        (None, None, None),
    ],
)
def test_a_threshold_that_is_not_the_models_own_is_a_doubt(
    threshold: float | None, own: float | None, name: str | None
) -> None:
    result = assess(replace(findings(300, 700), counted_by=by(threshold, own)), Conventions())
    assert [doubt.name for doubt in result.whole.doubts] == ([] if name is None else [name])
    again = Ki67Result.from_json(result.to_json())
    assert again == result
    assert (result.to_json()["threshold"], result.to_json()["model_threshold"]) == (threshold, own)


def test_only_a_raised_threshold_explains_that_there_are_no_cells() -> None:
    raised = "no cell exceeds the threshold 0.9 (the model's own is 0.17)"
    assert reason_in_words(Reason.NO_CELLS, by(0.9, 0.17)) == raised
    for counted_by in (by(0.1, 0.17), by(0.17, 0.17), by(None, None)):
        assert reason_in_words(Reason.NO_CELLS, counted_by) == "no cells"
    assert reason_in_words(Reason.NO_TISSUE, by(0.9, 0.17)) == "no tissue"
    assert reason_in_words(None, by(0.9, 0.17)) == ""
