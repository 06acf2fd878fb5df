"""What a training learns from while a laboratory is left out, what it may be tested on, and batch norms that adapt."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from wsi_edt.datasets import SetSpec
from wsi_edt.detection.whole_image import NetworkMaps
from wsi_edt.maps import DecodeSettings
from wsi_edt.networks import IMAGENET, NetworkSpec, build_network
from wsi_edt.training import read_config

RECIPE = Path(__file__).parents[2] / "workflows" / "shipped_model" / "leave_one_out.toml"
HRNET = NetworkSpec.from_table({"architecture": "hrnet", "width": 18}, maps=1)
NAMES = ("bcdata", "shidc", "glioma", "immunoratio", "gepnet")


def test_each_laboratory_can_be_left_out(shipped_model: Any) -> None:
    assert tuple(shipped_model("leave_one_out").LABORATORIES) == NAMES


@pytest.mark.parametrize("laboratory", NAMES)
def test_nothing_of_the_laboratory_is_learnt_from(shipped_model: Any, laboratory: str) -> None:
    script = shipped_model("leave_one_out")
    own = script.without(read_config(RECIPE), laboratory, seed=2)
    names = {one.name for one in own.sets}
    assert not names & set(script.LABORATORIES[laboratory])
    assert not set(own.augmentation.styles) & set(script.LABORATORIES[laboratory])
    # Colours come from sets that are trained on, or from folders.
    assert all(name in names or name.startswith("unlabelled/") for name in own.augmentation.styles)
    assert own.seed == 2


def test_settings_are_chosen_on_images_that_nobody_trains_on(shipped_model: Any) -> None:
    script, recipe = shipped_model("leave_one_out"), read_config(RECIPE)
    for laboratory in script.LABORATORIES:
        own = script.without(recipe, laboratory, seed=1)
        chosen_on = script.OTHERWISE if laboratory == "bcdata" else script.CHOSEN_ON
        trained = [one for one in own.sets if one.name == chosen_on.name]
        assert [one.split for one in trained] == ([] if laboratory == "bcdata" else ["train"])


def test_a_model_as_shipped_is_tested_by_its_own_settings(
    shipped_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = shipped_model("leave_one_out")
    read: list[str] = []

    def predictions(_predictor: object, spec: SetSpec, _data: Path) -> list[object]:
        read.append(spec.name)
        return []

    monkeypatch.setattr(script, "predictions", predictions)
    monkeypatch.setattr(script, "columns", lambda found, **_: [])
    monkeypatch.setattr(script.np, "concatenate", lambda _: np.array([0.4, 0.6, 0.8]))
    own = DecodeSettings(("positive", "negative"), "max", 11, 0.25, negative_gain=1.2)
    shipped = script.Selection(own, {"median_score": 0.5})
    (row,) = script.rows_of(
        "immunoratio", SimpleNamespace(model_mpp=0.3125), Path(), seed="5", shipped=shipped
    )
    assert read == ["immunoratio"]  # nothing was chosen anywhere else
    assert row == ["immunoratio", "5", "0", "1.20", "max, 11, 0.25, 1.2"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--as-shipped"], "--as-shipped and --case go with --score"),
        (["--case", "16704-03"], "--as-shipped and --case go with --score"),
        (["--score", "x", "--as-shipped", "--norms", "0.5"], "leave out --negative-gain and --norms"),
        (["--score", "x", "--as-shipped", "--negative-gain", "1.4"], "leave out --negative-gain and --norms"),
    ],
)
def test_options_that_contradict_each_other(shipped_model: Any, options: list[str], sentence: str) -> None:
    script = shipped_model("leave_one_out")
    ended = CliRunner().invoke(script.main, [str(RECIPE), "--data", str(RECIPE.parent), *options])
    assert ended.exit_code == 2
    assert sentence in " ".join(ended.output.split())


def test_a_training_without_its_start_is_one_sentence(
    shipped_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where no runs/pretrained/model is
    (tmp_path / "bcdata").mkdir()
    ended = CliRunner().invoke(
        shipped_model("leave_one_out").main, [str(RECIPE), "--data", str(tmp_path), "--only", "gepnet"]
    )
    assert ended.exit_code == 1
    assert ended.output.splitlines()[-1].startswith("Error: ")


def test_crops_cover_a_picture_evenly(shipped_model: Any) -> None:
    rows, columns = np.indices((100, 200), np.uint8)
    crops = shipped_model("adapted").crops_of(np.stack([rows, columns, rows], axis=-1), side=64, most=100)
    corners = {(int(crop[0, 0, 0]), int(crop[0, 0, 1])) for crop in crops}
    # 36 px are left in height: tops 0, 36; 136 in width: half a crop, 34 px, apart at most
    assert corners == {(top, left) for top in (0, 36) for left in (0, 34, 68, 102, 136)}
    assert all(crop.shape == (64, 64, 3) for crop in crops)


def test_a_small_picture_is_one_crop(shipped_model: Any) -> None:
    assert shipped_model("adapted").crops_of(np.zeros((70, 64, 3), np.uint8)).shape == (1, 64, 64, 3)


def test_batch_norms_take_their_share_of_a_picture(shipped_model: Any) -> None:
    torch.manual_seed(1)
    network = build_network(HRNET).eval()
    pixels = torch.randn(2, 3, 64, 64) * 3 + 1
    first = next(one for one in network.modules() if isinstance(one, nn.Conv2d))
    seen: list[torch.Tensor] = []
    handle = first.register_forward_hook(lambda _module, _inputs, output: seen.append(output.detach()))
    network(pixels)
    handle.remove()
    made = shipped_model("adapted").adapted(network, pixels, 0.25)
    norm = next(one for one in made.modules() if isinstance(one, nn.BatchNorm2d))
    # Fresh norms have mean 0 and variance 1.
    torch.testing.assert_close(norm.running_mean, 0.25 * seen[0].mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, 0.75 + 0.25 * seen[0].var((0, 2, 3)))
    untouched = next(one for one in network.modules() if isinstance(one, nn.BatchNorm2d))
    torch.testing.assert_close(untouched.running_var, torch.ones(len(seen[0][0])))


def test_no_share_changes_nothing(shipped_model: Any) -> None:
    network = build_network(HRNET).eval()
    images = np.random.default_rng(1).integers(0, 255, (1, 64, 96, 3), np.uint8)
    plain = NetworkMaps(network, IMAGENET).maps(images)
    own = shipped_model("adapted").AdaptedMaps
    np.testing.assert_array_equal(own(network, IMAGENET, 0.0).maps(images), plain)
    assert not np.allclose(own(network, IMAGENET, 0.5).maps(images), plain)
