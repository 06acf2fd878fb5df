"""Strengths and the H-score: counted by hand, and as QuPath counts them in the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.ki67.made import findings
from tests.qupath.qupath_contract import check_geojson
from wsi_edt.cells import Cells
from wsi_edt.ki67 import Conventions, Ki67Result, SlideFindings, assess
from wsi_edt.ki67.deconvolution import deconvolved
from wsi_edt.ki67.result import AreaResult
from wsi_edt.ki67.strengths import H_SCORE
from wsi_edt.qupath.cells_out import write_geojson


def stained(*densities: float, positive: int = 0) -> SlideFindings:
    """A slide whose cells have these DAB densities; the first are positive."""
    found = findings(positive, len(densities) - positive)
    dab = np.array(densities, np.float32)
    return replace(found, cells=replace(found.cells, haematoxylin_od=np.zeros_like(dab), dab_od=dab))


def whole(found: SlideFindings, conventions: Conventions | None = None) -> AreaResult:
    return assess(found, conventions or Conventions()).whole


NAMES = ("strength_0", "strength_1", "strength_2", "strength_3")


def test_strengths_and_h_score_by_hand() -> None:
    # 4 of 10 are 0, 3 are 1+, 1 is 2+, 2 are 3+: 1 × 30 + 2 × 10 + 3 × 20 = 110.
    found = whole(stained(-0.1, 0.0, 0.1, 0.199, 0.2, 0.3, 0.399, 0.4, 0.6, 1.7, positive=3))
    assert [found.values[name] for name in NAMES] == [4, 3, 1, 2]
    assert found.values["h_score"] == 110.0
    assert found.values["positive_dab_od"] == pytest.approx(0.0, abs=1e-4)  # of −0.1, 0 and 0.1


@pytest.mark.parametrize(("density", "score"), [(0.0, 0), (0.25, 100), (0.5, 200), (2.0, 300)])
def test_the_ends_of_the_h_score(density: float, score: int) -> None:
    assert whole(stained(density, density, density)).values["h_score"] == score


def test_cutoffs_are_the_conventions() -> None:
    found = whole(stained(0.15, 0.25, 0.5), Conventions(dab_cutoffs=(0.1, 0.3, 0.45)))
    assert [found.values[name] for name in NAMES] == [0, 2, 0, 1]


def test_cells_of_every_class_count() -> None:
    """An H-score goes by the stain: a model that tells no classes gives one too."""
    found = stained(0.25, 0.25, 0.0, positive=1)
    classes = np.array([1, 2, 2], np.uint8)
    of_all = whole(replace(found, cells=replace(found.cells, class_id=classes)))
    assert of_all.values["h_score"] == pytest.approx(200 / 3, abs=0.005)


@pytest.mark.parametrize("found", [findings(3, 5), replace(findings(), cells=Cells.empty())])
def test_without_densities_or_cells_there_are_none(found: SlideFindings) -> None:
    values = whole(found).values
    assert [values[name] for name in (*NAMES, "h_score", "positive_dab_od")] == [None] * 6


def test_cells_that_were_not_measured_do_not_count() -> None:
    found = whole(stained(np.nan, 0.7, 0.1, np.nan, positive=2)).values
    assert [found[name] for name in NAMES] == [1, 0, 0, 1]
    assert found["h_score"] == 150.0
    assert found["positive_dab_od"] == pytest.approx(0.7, abs=1e-4)


def test_no_positive_cells_have_no_mean() -> None:
    values = whole(stained(0.1, 0.3)).values
    assert (values["positive_dab_od"], values["h_score"]) == (None, 50.0)


def test_the_report_lists_the_h_score_where_there_is_one() -> None:
    for found, shown in ((whole(stained(0.25, 0.45)), True), (whole(findings(3, 5)), False)):
        assert H_SCORE.shown(found.values) is shown
        assert H_SCORE.in_words(found.values["h_score"]) == ("150 of 300" if shown else "–")


def test_they_come_back_from_ki67_json() -> None:
    found = assess(stained(0.1, 0.3, 0.7, positive=2), Conventions())
    assert Ki67Result.from_json(found.to_json()).whole.values == found.whole.values


def test_qupath_counts_the_same_in_the_file(tmp_path: Path) -> None:
    """Densities beside and on a cut-off, which the file has with three decimals."""
    rng = np.random.default_rng(0)
    _, dab = deconvolved(rng.normal((0.3, 0.4, 0.5), 0.15, (4000, 3)))
    assert {0.2, 0.4, 0.6} <= set(np.round(dab.astype(np.float64), 3).tolist())
    found = stained(*dab.tolist())
    write_geojson(tmp_path / "c.geojson", found.cells, slide_name="a", radius_px=4)
    in_file = [
        feature["properties"]["measurements"]["DAB OD"] for feature in check_geojson(tmp_path / "c.geojson")
    ]
    counted = np.bincount(np.searchsorted([0.2, 0.4, 0.6], in_file, side="right"), minlength=4)
    assert [whole(found).values[name] for name in NAMES] == counted.tolist()
