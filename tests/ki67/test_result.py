"""A slide's result to ki67.json's fields and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.ki67.made import BLURRED, COUNTS, result
from wsi_edt.errors import OutputError
from wsi_edt.ki67 import Conventions, Ki67Result

COUNTED = result(1, 2, mm2=1.5)
NOT_ASSESSABLE = result(mm2=0.0)
WHOLE = {
    "index_percent": 33.3333,
    "assessable": True,
    "reason": None,
    "index_low_percent": None,
    "index_high_percent": None,
    "blocks": 1,
    "block_mm": 0.5,
    "positive": 1,
    "negative": 2,
    "unclassified": 0,
    "total": 3,
    "few_cells": True,
    "area_mm2": 1.5,
    "cells_per_mm2": 2.0,
    **dict.fromkeys(("strength_0", "strength_1", "strength_2", "strength_3", "h_score", "positive_dab_od")),
    "interval_reason": "fewer than 20 blocks of tissue",
    "verdicts": [],
    "doubts": [{"name": "fewer than 500 cells", "sentence": "Fewer than 500 cells: the index is uncertain."}],
    "class": None,
    "place": None,
    "ignored_mm2": 0.0,
}


def test_the_fields_of_a_slide_with_an_index() -> None:
    assert COUNTED.to_json() == {
        "format": 1,
        "slide": "folder/a.svs",
        **WHOLE,
        "staining": "haematoxylin and DAB",
        "quality": {
            "out_of_focus_share": 0.0,
            "pen_share": 0.0,
            "counterstain_contrast": 0.3,
            "background_dab": 0.02,
            "stain_distance": 2.5,
            "zero_share": 0.0,
            "black_share": 0.0,
            "flags": [],
        },
        "mpp": 0.25,
        "mpp_stated": True,
        "model": "ki67-w18 1.0",
        "what_is_counted": COUNTS,
        "threshold": None,
        "model_threshold": None,
        "model_median_score": None,
        "research_use": "For research use only; not for diagnosis.",
        "provenance": None,
        "conventions": Conventions().to_json(),
        "hotspots": {
            "definition": COUNTED.hotspots.definition if COUNTED.hotspots else "",
            "rule": {"shape": "disc", "mm2": 0.5, "cells": 500, "count": 3},
            "found": (),
            "reason": "no hotspot: no disc of 0.5 mm², 60 % of it tissue, holds 250 cells with a class",
        },
        "four_fields": None,
        "heterogeneity": {
            "definition": COUNTED.heterogeneity.definition if COUNTED.heterogeneity else "",
            "width_mm": 0.5,
            "least_cells": 100,
            "edge_mm": 0.5,
            "spread": None,
            "entropy": None,
            "entropy_if_even": None,
            "bimodality": None,
            "edge": None,
            "centre": None,
            "edge_minus_centre": None,
            "edge_cells": 0,
            "centre_cells": 3,
            "hexagons": ({"x": 0.0, "y": 0.0, "positive": 1, "negative": 2},),
            "hexagons_reason": "fewer than 20 hexagons with 100 cells",
            "edge_reason": "no edge of the tissue in view",
        },
        "areas": [{"kind": "whole tissue", "name": "whole tissue", **WHOLE}],
    }


def test_not_assessable_is_null_and_never_zero() -> None:
    fields = NOT_ASSESSABLE.to_json()
    assert fields["index_percent"] is None
    assert fields["cells_per_mm2"] is None
    assert fields["assessable"] is False
    assert fields["reason"] == "no tissue"


@pytest.mark.parametrize(
    "original", [COUNTED, NOT_ASSESSABLE, result(0, 0, 9), replace(COUNTED, remark="plane 1 of 3 is read")]
)
def test_fields_read_back_as_the_result(original: Ki67Result) -> None:
    assert Ki67Result.from_json(original.to_json()) == original


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "format 2"),
        ({"areas": []}, "no areas"),
        ({"areas": [3]}, "can't be understood"),
        ({"areas": [{"kind": "moon", "name": "whole tissue", **WHOLE}]}, "moon"),
        (
            {"areas": [{"kind": "whole tissue", "name": "a", **WHOLE, "positive": "many"}]},
            "'many' as 'positive'",
        ),
        ({"areas": [{"kind": "whole tissue", "name": "a", **WHOLE, "positive": True}]}, "True as 'positive'"),
        ({"areas": [{"kind": "whole tissue", "name": "a", **WHOLE, "reason": 3}]}, "'reason'"),
        ({"mpp": "0.25"}, "'mpp'"),
        ({"quality": {"pen_share": 0.0}}, "can't be understood"),
        ({"quality": None}, "None as 'quality'"),
    ],
)
def test_fields_of_another_program_are_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(OutputError, match=sentence):
        Ki67Result.from_json({**COUNTED.to_json(), **change})


def test_missing_fields_are_refused() -> None:
    for name in ("mpp", "areas"):
        fields = COUNTED.to_json()
        del fields[name]
        with pytest.raises(OutputError, match=name):
            Ki67Result.from_json(fields)
    fields = COUNTED.to_json()
    del fields["areas"][0]["total"]
    with pytest.raises(OutputError, match="total"):
        Ki67Result.from_json(fields)


def test_a_flag_has_all_that_a_reader_needs() -> None:
    """It makes the index doubtful, and changes no number."""
    fields = result(1, 2, mm2=1.5, quality=BLURRED).to_json()
    (flag,) = fields["quality"]["flags"]
    assert (flag["name"], flag["value"], flag["limit"]) == ("out of focus", 0.312, 0.15)
    assert flag["sentence"].startswith("At least 31 % of the tissue is out of focus")
    assert flag["remedy"]
    assert [doubt["name"] for doubt in fields["doubts"]] == ["fewer than 500 cells", "out of focus"]
    without = dict.fromkeys(("quality", "doubts", "areas"))
    assert {**fields, **without} == {**COUNTED.to_json(), **without}
