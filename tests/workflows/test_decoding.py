"""The scripts that compare ways of decoding, and the index of slides over the threshold."""

import csv
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from click.testing import CliRunner

from tests.bundles.tiny import tiny_bundle
from tests.training.sets import make_bcdata
from wsi_edt.cells import CellClass
from wsi_edt.detection.compute import Compute
from wsi_edt.detection.detector import Detector
from wsi_edt.maps import Peaks

SCRIPTS = Path(__file__).parents[2] / "workflows" / "shipped_model"


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(SCRIPTS / name))


def test_each_way_and_each_averaging_has_a_row(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny", mpp=0.25)
    folder = make_bcdata(tmp_path / "bcdata", images=2)
    arguments = ["--dataset", "bcdata", str(folder), "--model", str(tmp_path / "tiny")]
    result = CliRunner().invoke(script("decoding.py")["main"], arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = [line.strip("|").split("|") for line in result.output.splitlines() if line.startswith("|")]
    named = [tuple(cell.strip() for cell in row[:2]) for row in rows]
    for way in ("separate", "max", "sum", "nucleus"):
        assert {(way, "11"), (way, "21")} <= set(named)
    assert {("none", "1"), ("left-right", "2"), ("both axes", "4")} <= set(named)


class Gradients:
    """Stands in for a network: maps that depend on rows and columns alike."""

    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        grey = images.mean(axis=3, dtype=np.float32)
        ramp = np.arange(grey.shape[1])[:, None] + 3 * np.arange(grey.shape[2])
        return np.asarray((grey * ramp)[:, None].repeat(2, axis=1), np.float32)


def test_averaged_maps_turn_with_the_image() -> None:
    averaged = script("decoding.py")["Averaged"]
    network = Gradients()
    both = averaged(network, ((), (-1,), (-2,), (-2, -1)))
    images = np.random.default_rng(0).integers(0, 255, (1, 8, 10, 3)).astype(np.uint8)
    for axes in ((-1,), (-2,), (-2, -1)):
        turned = np.flip(images, tuple(axis - 1 for axis in axes))
        np.testing.assert_allclose(np.flip(both.maps(turned), axes), both.maps(images), rtol=1e-5)
        assert not np.allclose(np.flip(network.maps(turned), axes), network.maps(images))
    np.testing.assert_array_equal(averaged(network, ((),)).maps(images), network.maps(images))


def test_curve_has_what_a_run_at_each_threshold_finds(tmp_path: Path, ihc_slide_path: Path) -> None:
    module = script("index_curve.py")
    bundle = tiny_bundle(tmp_path / "tiny", mpp=0.5)

    def peaks_above(threshold: float) -> Peaks:
        settings = replace(bundle.decode, threshold=threshold)
        compute = Compute("cpu", "torch", "fp32", threads=1)
        detector = Detector.load(bundle, settings=settings, compute=compute)
        found: Peaks = module["slide_peaks"](ihc_slide_path, detector, bundle, mpp=None)
        return found

    everything = peaks_above(0.0)
    threshold = float(np.quantile(everything.score, 0.4))
    own = peaks_above(threshold)
    curve = module["index_curve"]("ihc", everything, np.array([0.0, threshold]))
    counts = [int(np.sum(own.class_id == c)) for c in (CellClass.POSITIVE, CellClass.NEGATIVE)]
    assert 20 < sum(counts) < len(everything)
    assert [int(curve.positive[1]), int(curve.negative[1])] == counts


def test_curve_counts_what_lies_above_a_threshold() -> None:
    module = script("index_curve.py")
    scores = np.array([0.1, 0.18, 0.18, 0.3], np.float32)
    classes = np.array([0, 1, 0, 1], np.uint8)
    spots = np.arange(4, dtype=np.int32)
    curve = module["index_curve"]("a", Peaks(spots, spots, scores, classes), np.array([0.09, 0.1, 0.18, 0.3]))
    assert curve.positive.tolist() == [2, 2, 1, 0]
    assert curve.negative.tolist() == [2, 1, 0, 0]
    np.testing.assert_allclose(curve.index_percent, [50, 200 / 3, 100, np.nan])
    # One cell of four is a quarter, and still drawn.
    np.testing.assert_allclose(curve.drawn_percent, [50, 200 / 3, 100, np.nan])


def test_curve_is_printed_drawn_and_written(tmp_path: Path, ihc_slide_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny", mpp=1.0)
    table, figure = tmp_path / "index.csv", tmp_path / "index.png"
    arguments = [str(ihc_slide_path)] * 2 + ["--model", str(tmp_path / "tiny"), "--lowest", "0.1"]
    arguments += ["--csv", str(table), "--figure", str(figure)]
    result = CliRunner().invoke(script("index_curve.py")["main"], arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "the model has this one" in result.output
    assert cv2.imread(str(figure)) is not None
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 41
    assert rows[0]["threshold"] == "0.1"
