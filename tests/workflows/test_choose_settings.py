"""How a model's maps become cells is chosen again without its checkpoint."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.bundles.tiny import tiny_bundle
from tests.training.sets import make_bcdata
from wsi_edt.bundles import read_bundle
from wsi_edt.bundles.bundle import write_description
from wsi_edt.training.config import TrainConfig

CONFIG = TrainConfig.model_validate(
    {
        "mpp": 0.25,
        "sets": [{"name": "bcdata", "weight": 1.0}],
        "validation": [{"name": "bcdata", "split": "validation"}],
    }
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny model that was validated on a made set of three images."""
    make_bcdata(tmp_path / "data" / "bcdata", images=3)
    draft = tiny_bundle(tmp_path / "tiny", mpp=0.25)
    write_description(replace(draft, training={"configuration": CONFIG.to_json()}))
    return tmp_path / "tiny"


def chosen(shipped_model: Any, model: Path, *options: str) -> str:
    arguments = [str(model), "--data", str(model.parent / "data"), "--version", "2", *options]
    result = CliRunner().invoke(shipped_model("choose_settings").main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_what_is_settled_is_taken_and_the_rest_chosen(shipped_model: Any, model: Path) -> None:
    before = read_bundle(model)
    settled = ("--evidence", "max", "--window", "21", "--threshold", "0.25", "--negative-gain", "1.4")
    assert "threshold=0.25" in chosen(shipped_model, model, *settled)
    after = read_bundle(model)
    decode = replace(before.decode, evidence="max", window_px=21, threshold=0.25, negative_gain=1.4)
    assert (after.decode, after.version, after.sha256) == (decode, "2", before.sha256)
    assert {"f1_10px", "index_error_points", "count_mae"} <= set(after.metrics)
    chosen(shipped_model, model)
    again = read_bundle(model)
    assert again.metrics["f1_10px"] >= after.metrics["f1_10px"]
    assert again.training == before.training


def test_printing_writes_nothing(shipped_model: Any, model: Path) -> None:
    before = (model / "model.toml").read_bytes()
    assert "f1_10px" in chosen(shipped_model, model, "--print")
    assert (model / "model.toml").read_bytes() == before


def test_an_image_that_is_missing_is_said(shipped_model: Any, model: Path) -> None:
    arguments = [str(model), "--data", str(model), "--version", "2"]
    result = CliRunner().invoke(shipped_model("choose_settings").main, arguments)
    assert result.exit_code == 1
    assert "bcdata" in result.output and "Traceback" not in result.output
