"""Settings are chosen on validation images, and a checkpoint becomes a model with them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from tests.training.sets import make_bcdata
from tests.training.test_trainer import CONFIG
from wsi_edt.bundles import read_bundle
from wsi_edt.cells import CellClass, Cells
from wsi_edt.cli.bundle import bundle
from wsi_edt.cli.evaluate import evaluate
from wsi_edt.maps import edt_map
from wsi_edt.training import train
from wsi_edt.training.selection import select
from wsi_edt.training.validation import PredictedImage


def image(name: str, seed: int, false_peak: float) -> PredictedImage:
    """Ideal maps of 20 positive and 20 negative cells 14 px apart or more, and as many false peaks of that height."""
    places = np.random.default_rng(seed).permutation(100)[:60]
    x, y = (places % 10) * 20.0 + 10.5, (places // 10) * 20.0 + 10.5
    maps = np.zeros((3, 200, 200), np.float32)
    for number, which in enumerate((slice(0, 20), slice(20, 40))):
        maps[number] = edt_map(np.column_stack([x[which], y[which]]), (200, 200), max_distance_px=60)
    false = edt_map(np.column_stack([x[40:], y[40:]]), (200, 200), max_distance_px=60)
    maps[1] = np.maximum(maps[1], false_peak * false)
    class_id = np.repeat([CellClass.POSITIVE, CellClass.NEGATIVE], 20).astype(np.uint8)
    return PredictedImage(name, maps, Cells(x[:40].copy(), y[:40].copy(), np.ones(40, np.float32), class_id))


def test_threshold_lies_above_the_false_peaks() -> None:
    chosen = select([image("a", 0, 0.25), image("b", 1, 0.35), image("c", 2, 0.3)])
    assert 0.35 <= chosen.settings.threshold < 1
    assert chosen.settings.evidence in ("max", "sum")  # the nucleus map is empty
    assert chosen.scores["f1_10px"] == chosen.scores["f1_5px_positive"] == 1
    assert chosen.scores["index_error_points"] == 0


def test_left_out_score_is_not_the_chosen_ones() -> None:
    # Each image alone would let the others' settings find its false peaks: b's are higher than any other's.
    chosen = select([image("a", 0, 0.15), image("b", 1, 0.5), image("c", 2, 0.15)])
    assert chosen.scores["f1_10px"] == 1
    # b, scored at a threshold of at least 0.15 chosen without it: 40 cells, 20 false ones.
    expected = 2 * 120 / (2 * 120 + 20)
    assert abs(chosen.scores["f1_10px_left_out"] - expected) < 1e-4


def test_checkpoint_to_model_to_scores(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "data" / "bcdata")
    config = replace(CONFIG, steps=1, checkpoint_steps=1, validate_on=())
    checkpoint = train(config, tmp_path / "data", tmp_path / "run", device="cpu", report=lambda line: None)
    out = tmp_path / "models" / "mine"
    options = [str(checkpoint), "--data", str(tmp_path / "data"), "--out", str(out), "--version", "7"]
    made = CliRunner().invoke(bundle, options, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    written = read_bundle(out)
    written.verify()
    assert (written.name, written.version, written.mpp) == ("mine", "7", 0.25)
    dataset = ["--model", str(out), "--dataset", "bcdata", str(tmp_path / "data" / "bcdata")]
    scored = CliRunner().invoke(evaluate, dataset, catch_exceptions=False)
    assert scored.exit_code == 0, scored.output
    assert "2 images, matched within 10 px of 0.25 µm" in scored.output
    assert f"{written.scores['f1_10px']:.3f}" in scored.output
