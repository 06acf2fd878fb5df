"""A slide's result to ki67.json's fields and back."""

from __future__ import annotations

import pytest

from wsi_edt.errors import OutputError
from wsi_edt.ki67.index import Ki67Score
from wsi_edt.ki67.result import SlideResult


def result(score: Ki67Score) -> SlideResult:
    return SlideResult("folder/a.svs", score, "haematoxylin and DAB", 0.25, True, "ki67 1.0")


SCORED = result(Ki67Score(1, 2, 0, 1.5, None))
NOT_ASSESSABLE = result(Ki67Score(0, 0, 0, 0.0, "no cells"))


def test_the_fields_of_a_scored_slide() -> None:
    assert SCORED.to_json() == {
        "format": 1,
        "slide": "folder/a.svs",
        "index_percent": 33.3333,
        "assessable": True,
        "reason": None,
        "positive": 1,
        "negative": 2,
        "unclassified": 0,
        "total": 3,
        "few_cells": True,
        "area_mm2": 1.5,
        "cells_per_mm2": 2.0,
        "staining": "haematoxylin and DAB",
        "mpp": 0.25,
        "mpp_stated": True,
        "model": "ki67 1.0",
        "what_is_counted": "The model counts nuclei as a BCData-style tumour count would. It does not "
        "segment tumour from stroma: regions drawn in QuPath do that.",
        "research_use": "For research use only; not for diagnosis.",
    }


def test_not_assessable_is_null_and_never_zero() -> None:
    fields = NOT_ASSESSABLE.to_json()
    assert fields["index_percent"] is None
    assert fields["cells_per_mm2"] is None
    assert fields["assessable"] is False
    assert fields["reason"] == "no cells"


@pytest.mark.parametrize("original", [SCORED, NOT_ASSESSABLE])
def test_fields_read_back_as_the_result(original: SlideResult) -> None:
    assert SlideResult.from_json(original.to_json()) == original


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"positive": "many"}, "'many' as 'positive'"),
        ({"reason": 3}, "'reason'"),
    ],
)
def test_fields_that_are_not_ours_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(OutputError, match=said):
        SlideResult.from_json({**SCORED.to_json(), **change})


def test_missing_fields_are_refused() -> None:
    fields = dict(SCORED.to_json())
    del fields["mpp"]
    with pytest.raises(OutputError, match="mpp"):
        SlideResult.from_json(fields)
