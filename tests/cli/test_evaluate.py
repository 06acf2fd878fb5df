"""`wsi-edt evaluate` as a user calls it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from wsi_edt.cli.evaluate import evaluate
from wsi_edt.errors import AnnotationError, OutputError

PREDICTED = "class,x,y\npositive,10.0,16.0\nnegative,50.0,50.0\nnegative,90.0,90.0\n"
TRUTH = "class,x,y\npositive,10.0,10.0\nnegative,50.0,51.0\npositive,200.0,200.0\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    predicted, truth = tmp_path / "predicted.csv", tmp_path / "truth.csv"
    predicted.write_text(PREDICTED)
    truth.write_text(TRUTH)
    return str(predicted), str(truth)


def test_scores_at_both_radii(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    result = CliRunner().invoke(evaluate, [*files, "--json", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "1 image, matched within 10 px" in result.output
    lines = [line.split() for line in result.output.splitlines()]
    # At 10 px two of three are found, at 5 px one; F1 = 2 · 2 / 6 and 2 · 1 / 6.
    assert ["all", "3", "3", "2", "0.667", "0.667", "0.667"] in lines
    assert ["all", "3", "3", "1", "0.333", "0.333", "0.333"] in lines
    assert ["positive", "2", "1", "1", "1.000", "0.500", "0.667"] in lines
    assert ["negative", "1", "2", "1", "0.500", "1.000", "0.667"] in lines
    # 1 of 3 positive instead of 2 of 3.
    assert "Ki-67 index per image: mean absolute error 33.33 points" in result.output
    facts = json.loads(out.read_text())
    assert [entry["radius_px"] for entry in facts["results"]] == [10.0, 5.0]
    assert facts["results"][0]["scores"]["all"]["true_positives"] == 2
    assert facts["radius_mpp"] is None


def test_mpp_makes_the_radius_one_of_model_px(files: tuple[str, str]) -> None:
    # 6 px of 0.5 µm are 9.6 px of 0.3125 µm, and 6 px of 0.55 µm are 10.56.
    for mpp, matched in (("0.5", "2"), ("0.55", "1")):
        result = CliRunner().invoke(
            evaluate, [*files, "--radius", "10", "--mpp", mpp], catch_exceptions=False
        )
        (row,) = [line.split() for line in result.output.splitlines() if line.startswith("all")]
        assert row[3] == matched
        assert "10 px of 0.3125 µm" in result.output


def test_points_without_classes_have_one_row(tmp_path: Path) -> None:
    path = tmp_path / "points.txt"
    path.write_text("1 1 5.5 5.5\n2 0\n")
    result = CliRunner().invoke(evaluate, [str(path), str(path), "--radius", "5"], catch_exceptions=False)
    assert "2 images" in result.output
    assert "positive" not in result.output
    assert "Ki-67" not in result.output


def test_errors_are_the_users(files: tuple[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("x,y\n1\n")
    result = CliRunner().invoke(evaluate, [files[0], str(broken)])
    assert isinstance(result.exception, AnnotationError)
    (tmp_path / "folder").mkdir()
    result = CliRunner().invoke(evaluate, [*files, "--json", str(tmp_path / "truth.csv" / "scores.json")])
    assert isinstance(result.exception, OutputError)
    assert CliRunner().invoke(evaluate, [*files, "--radius", "-1"]).exit_code == 2
    assert CliRunner().invoke(evaluate, [*files, "--mpp", "0"]).exit_code == 2
    assert CliRunner().invoke(evaluate, [files[0], str(tmp_path / "missing.csv")]).exit_code == 2
