"""`wsi-edt evaluate` as a user calls it."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.bundles.tiny import tiny_bundle
from tests.training.sets import make_bcdata, make_shidc
from wsi_edt import maps
from wsi_edt.bundles import write_description
from wsi_edt.bundles.weights import load_network
from wsi_edt.cli.decoding import EVIDENCES, GAIN, METHODS
from wsi_edt.cli.evaluate import evaluate
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.detection.whole_image import NetworkMaps
from wsi_edt.errors import AnnotationError, OutputError, UsageError
from wsi_edt.evaluation.failures import Fate, Fates, failure_picture
from wsi_edt.evaluation.predictions import Predictor
from wsi_edt.evaluation.selection import select
from wsi_edt.maps.decode import LARGEST_GAIN, LEAST_GAIN

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
    assert "1 image, matched within 10 px\n" in result.output
    lines = [line.split() for line in result.output.splitlines()]
    # At 10 px two of three are found, at 5 px one; F1 = 2 · 2 / 6 and 2 · 1 / 6. MAE and RMSE: one positive too few, one
    # negative too many.
    assert ["all", "3", "3", "2", "0.667", "0.667", "0.667", "0.0", "0.0"] in lines
    assert ["all", "3", "3", "1", "0.333", "0.333", "0.333", "0.0", "0.0"] in lines
    assert ["positive", "2", "1", "1", "1.000", "0.500", "0.667", "1.0", "1.0"] in lines
    assert ["negative", "1", "2", "1", "0.500", "1.000", "0.667", "1.0", "1.0"] in lines
    # 1 of 3 positive instead of 2 of 3.
    assert "Ki-67 index per image: mean absolute error 33.33 points, bias -33.33\n" in result.output
    assert "Ki-67 index of all cells together: found 33.3 %, true 66.7 %" in result.output
    assert "No 95 % intervals: 1 case, and fewer than 5" in result.output
    facts = json.loads(out.read_text())
    assert [entry["radius_px"] for entry in facts["results"]] == [10.0, 5.0]
    first = facts["results"][0]
    assert first["scores"]["all"]["true_positives"] == 2
    assert (facts["mpp"], facts["threshold"], first["radius_um"], first["intervals"]) == (None,) * 4
    assert first["per_image"] == [
        {
            "image": "truth",
            "case": "truth",
            "all": {"matched": 2, "false": 1, "missed": 1},
            "positive": {"matched": 1, "false": 0, "missed": 1},
            "negative": {"matched": 1, "false": 1, "missed": 0},
            "index_true_percent": pytest.approx(200 / 3),
            "index_error_points": pytest.approx(-100 / 3),
        }
    ]


def many(folder: Path, images: int, *, scores: bool) -> tuple[str, str]:
    """Points of some images, each with a positive and two negative cells, and one prediction more with every image."""
    predicted, truth = ["image,class,x,y,score"], ["image,class,x,y"]
    for number in range(images):
        rows = [("positive", 10, 10.5), ("negative", 40, 10.5), ("negative", 70, 10.5)]
        truth += [f"{number},{name},{x},{y}" for name, x, y in rows]
        rows += [("positive", 100 + 30 * extra, 90.5) for extra in range(number)]
        predicted += [
            f"{number},{name},{x},{y},{0.9 - 0.05 * place if scores else 1}"
            for place, (name, x, y) in enumerate(rows)
        ]
    paths = folder / "predicted.csv", folder / "truth.csv"
    for path, lines in zip(paths, (predicted, truth), strict=True):
        path.write_text("\n".join(lines))
    return str(paths[0]), str(paths[1])


def test_intervals_lie_around_their_scores(tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    arguments = [*many(tmp_path, 6, scores=True), "--radius", "10", "--json", str(out), "--bootstrap", "200"]
    result = CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    assert "95 % intervals, percentiles over 200 resamples of the 6 cases" in result.output
    (first,) = json.loads(out.read_text())["results"]
    # 18 cells, all found, and 0 + 1 + … + 5 that are none.
    assert first["scores"]["all"]["precision"] == pytest.approx(18 / 33)
    low, high = first["intervals"]["scores"]["all"]["precision"]
    assert 3 / 8 <= low < 18 / 33 < high <= 1
    assert first["intervals"]["scores"]["all"]["recall"] == [1, 1]
    assert first["intervals"]["index"]["bias_points"][0] > 0
    without = CliRunner().invoke(evaluate, [*arguments, "--bootstrap", "0"], catch_exceptions=False)
    assert "95 % intervals" not in without.output


def test_figure_and_sweep_of_files(tmp_path: Path) -> None:
    figure, swept = tmp_path / "scores.svg", tmp_path / "sweep.csv"
    arguments = [*many(tmp_path, 3, scores=True), "--figure", str(figure), "--sweep", str(swept)]
    result = CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert figure.read_bytes().startswith(b"<?xml")
    with swept.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["radius_px"] for row in rows} == {"10", "5"}
    by_threshold = {row["threshold"]: row for row in rows if row["radius_px"] == "10"}
    # Above 0.82 only the positive and one negative cell of each image.
    assert (by_threshold["0.82"]["all_matched"], by_threshold["0.82"]["all_false"]) == ("6", "0")
    assert float(by_threshold["0.82"]["index_found_percent"]) == pytest.approx(50)


def test_predictions_of_one_score_have_no_sweep(tmp_path: Path) -> None:
    arguments = [*many(tmp_path, 3, scores=False), "--sweep", str(tmp_path / "sweep.csv")]
    result = CliRunner().invoke(evaluate, arguments)
    assert isinstance(result.exception, UsageError)
    assert "one score" in str(result.exception)
    assert not (tmp_path / "sweep.csv").exists()


def test_mpp_makes_the_radius_one_of_model_px(files: tuple[str, str]) -> None:
    # 6 px of 0.5 µm are 9.6 px of 0.3125 µm, and 6 px of 0.55 µm are 10.56.
    for mpp, matched in (("0.5", "2"), ("0.55", "1")):
        result = CliRunner().invoke(
            evaluate, [*files, "--radius", "10", "--mpp", mpp], catch_exceptions=False
        )
        (row,) = [line.split() for line in result.output.splitlines() if line.startswith("all")]
        assert row[3] == matched
        assert "matched within 10 px = 3.13 µm" in result.output


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
    for option, wrong in (("--mpp", "nan"), ("--mpp", "1e300"), ("--radius", "inf"), ("--radius", "nan")):
        assert CliRunner().invoke(evaluate, [*files, option, wrong]).exit_code == 2, (option, wrong)
    for option in ("--json", "--sweep", "--figure"):
        result = CliRunner().invoke(evaluate, [*files, option, ""])
        assert result.exit_code == 2
        assert "an empty text doesn't name a file" in result.output
    nothing = tmp_path / "nothing.csv"
    nothing.write_text("image,x,y\n")
    result = CliRunner().invoke(evaluate, [str(nothing), str(nothing)])
    assert isinstance(result.exception, UsageError)
    assert CliRunner().invoke(evaluate, [files[0], str(tmp_path / "missing.csv")]).exit_code == 2
    for options in (
        ["--figure", "scores.bmp"],
        ["--split", "test"],
        ["--method", "ccls"],
        ["--threshold", "0.3"],
        ["--negative-gain", "1.3"],
        ["--failures", str(tmp_path / "new")],
        [],
    ):
        half = files[:1] if not options else files
        result = CliRunner().invoke(evaluate, [*half, *options])
        assert isinstance(result.exception, UsageError), options


def test_model_on_a_data_set_finds_what_its_selection_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The settings are chosen in float32; where the processor has bf16, `evaluate` would take it.
    monkeypatch.setattr("wsi_edt.detection.runtimes.openvino_cpu.computes_in_bf16", lambda: False)
    folder = make_bcdata(tmp_path / "bcdata", images=3)
    draft = tiny_bundle(tmp_path / "tiny", mpp=0.25)
    images = read_set(SetSpec(name="bcdata", folder=folder, split="validation"), Path())
    network = load_network(draft)
    predictor = Predictor(NetworkMaps(network, draft.normalisation), 0.25, draft.decode.maps, network.stride)
    chosen = select([predictor.predict(image) for image in images])
    write_description(draft.with_decode(chosen.settings, chosen.metrics))
    arguments = ["--model", str(tmp_path / "tiny"), "--dataset", "bcdata", str(folder)]
    out, failures = tmp_path / "scores.json", tmp_path / "failures"
    result = CliRunner().invoke(
        evaluate,
        [*arguments, "--json", str(out), "--failures", str(failures), "--worst", "2"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    assert "3 images, matched within 10 px = 2.50 µm" in result.output
    facts = json.loads(out.read_text())
    assert (facts["dataset"], facts["split"], facts["model"]) == ("bcdata", "validation", "tiny 1")
    assert facts["threshold"] == chosen.settings.threshold
    for result_json, radius in zip(facts["results"], ("10px", "5px"), strict=True):
        assert round(result_json["scores"]["all"]["f1"], 4) == chosen.metrics[f"f1_{radius}"]
    first = facts["results"][0]
    assert round(first["index"]["mean_absolute_error_points"], 4) == chosen.metrics["index_error_points"]
    assert round(first["scores"]["all"]["count_mae"], 4) == chosen.metrics["count_mae"]
    pictures = sorted(failures.iterdir())
    assert [path.name[:3] for path in pictures] == ["01-", "02-"]
    picture = cv2.imread(str(pictures[0]))
    assert picture is not None
    assert picture.shape[1] == 2 * 2 * 128 + 8


def test_a_model_is_evaluated_with_other_ways_from_maps_to_cells(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny", mpp=0.25)
    folder = make_bcdata(tmp_path / "bcdata", images=1)
    out = tmp_path / "scores.json"
    arguments = ["--model", str(tmp_path / "tiny"), "--dataset", "bcdata", str(folder), "--json", str(out)]

    def evaluated(*options: str) -> dict[str, Any]:
        result = CliRunner().invoke(evaluate, [*arguments, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        facts: dict[str, Any] = json.loads(out.read_text())
        return facts

    def gain(facts: dict[str, Any]) -> float:
        value: float = facts["negative_gain"]
        return value

    def ways(facts: dict[str, Any]) -> tuple[str, str, int, float]:
        return facts["method"], facts["evidence"], facts["window_px"], facts["threshold"]

    assert ways(evaluated()) == ("ccls", "sum", 11, 0.3)
    assert [gain(evaluated(*own)) for own in ((), ("--negative-gain", "1.3"))] == [1, 1.3]
    assert ways(evaluated("--method", "lmds")) == ("lmds", "sum", 3, 100 / 255)
    options = ("--method", "lmss", "--evidence", "separate", "--window", "5", "--threshold", "0.2")
    assert ways(evaluated(*options)) == ("lmss", "separate", 5, 0.2)
    result = CliRunner().invoke(evaluate, [*arguments, "--method", "lmss"])
    assert isinstance(result.exception, UsageError)
    assert "the method lmss needs a threshold of its own" in str(result.exception)
    assert isinstance(CliRunner().invoke(evaluate, [*arguments, "--window", "4"]).exception, UsageError)


def test_the_names_of_the_options_are_those_of_the_maps() -> None:
    assert tuple(maps.METHODS) == METHODS
    assert get_args(maps.Evidence) == EVIDENCES
    assert (GAIN.min, GAIN.max) == (LEAST_GAIN, LARGEST_GAIN)


def test_failures_show_what_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_bundle(tmp_path / "tiny", mpp=0.25, threshold=10.5)
    folder = make_bcdata(tmp_path / "bcdata", images=1)
    out, swept = tmp_path / "scores.json", tmp_path / "sweep.csv"
    drawn: list[Fates] = []

    def spy(pixels: Any, found: Fates, *, caption: str) -> Any:
        drawn.append(found)
        return failure_picture(pixels, found, caption=caption)

    monkeypatch.setattr("wsi_edt.evaluation.failures.failure_picture", spy)
    arguments = ["--model", str(tmp_path / "tiny"), "--dataset", "bcdata", str(folder), "--json", str(out)]
    arguments += ["--sweep", str(swept), "--failures", str(tmp_path / "failures")]
    CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    (row,) = json.loads(out.read_text())["results"][0]["per_image"]
    counted = row["all"]["matched"] + row["all"]["false"]
    with swept.open() as file:
        lowest = next(csv.DictReader(file))
    assert int(lowest["all_matched"]) + int(lowest["all_false"]) > counted > 0  # the sweep starts lower
    (marks,) = drawn
    assert len(marks.fate) - marks.count(Fate.MISSED) == counted


def test_splits_scale_and_partial_labels(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny", mpp=0.5)
    folder = make_shidc(tmp_path / "shidc")  # its train split alone
    arguments = ["--model", str(tmp_path / "tiny"), "--dataset", "shidc", str(folder)]
    result = CliRunner().invoke(evaluate, arguments)
    assert isinstance(result.exception, AnnotationError)  # there are no validation images
    result = CliRunner().invoke(
        evaluate, [*arguments, "--split", "train", "--mpp", "0.5"], catch_exceptions=False
    )
    assert "1 image, matched within 10 px = 5.00 µm" in result.output
    # Of three labels one is a lymphocyte: no cell of the count.
    (row, _) = [line.split() for line in result.output.splitlines() if line.startswith("all")]
    assert row[1] == "2"
    assert "The labels of 1 of 1 images are partial" in result.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from wsi_edt.cli.main import run_command\n"
        "assert run_command(['evaluate', '--help']) == 0\n"
        "heavy = {'torch', 'numpy', 'scipy', 'cv2', 'matplotlib', 'pydantic'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=root)


def test_files_need_no_torch(files: tuple[str, str]) -> None:
    code = (
        "import sys; from wsi_edt.cli.main import run_command\n"
        f"assert run_command(['evaluate', *{files!r}]) == 0\n"
        "assert not {'torch', 'matplotlib'} & sys.modules.keys()"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=root)


def test_the_slide_gives_the_scale_and_the_edge(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((100, 200, 3), 255, np.uint8))
    (tmp_path / "truth.json").write_text(
        '{"annotation": {"location": "POINT (50 60)"}}'
    )  # 60 px above the lower edge
    (tmp_path / "found.tsv").write_text("X µm\tY µm\n12.5\t10.0\n", encoding="utf-8")
    files = [str(tmp_path / name) for name in ("found.tsv", "truth.json")]
    given = ["--slide", str(tmp_path / "a.png"), "--mpp", "0.25"]
    result = CliRunner().invoke(evaluate, [*files, *given, "--radius", "0.01"], catch_exceptions=False)
    assert ["all", "1", "1", "1", "1.000", "1.000", "1.000", "0.0", "0.0"] in [
        line.split() for line in result.output.splitlines()
    ]
    with pytest.raises(UsageError, match="--slide is one slide; give two files"):
        CliRunner().invoke(evaluate, [str(tmp_path)] * 2 + given, catch_exceptions=False)


def test_classes_of_a_set_of_your_own_get_a_meaning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny_bundle(tmp_path / "tiny", mpp=0.25)
    for name in ("images", "points"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "mine/images/a.png"), np.full((128, 128, 3), 255, np.uint8))
    (tmp_path / "mine/points/a.csv").write_text("x,y,class\n10.5,10.5,Neoplastic\n20.5,20.5,2+\n")
    arguments = [
        "--model",
        str(tmp_path / "tiny"),
        "--dataset",
        "points",
        str(tmp_path / "mine"),
        "--mpp",
        "0.25",
    ]
    with pytest.raises(AnnotationError, match="by --class 'Neoplastic=nucleus'"):
        CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    for meaning in ("Neoplastic=negative", "2+=positive", "Absent=ignore"):
        arguments += ["--class", meaning]
    result = CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    cells = {row[0]: row[1] for row in map(str.split, result.output.splitlines()) if len(row) > 1}
    assert (cells["all"], cells["positive"], cells["negative"]) == ("2", "1", "1")
    assert "the set 'points': no cell has the class Absent, which class_names names" in caplog.text
