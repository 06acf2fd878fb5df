"""The trainer learns, continues from a kill as if nothing had happened, and refuses another configuration's folder."""

import csv
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.bundles.tiny import tiny_bundle
from tests.training.sets import make_bcdata
from wsi_edt.bundles import load_network
from wsi_edt.errors import ModelError, UsageError
from wsi_edt.training import TrainConfig, read_config, train
from wsi_edt.training.checkpoint import read_trained
from wsi_edt.training.datasets import read_dataset
from wsi_edt.training.sampling import WindowSampler
from wsi_edt.training.trainer import _inconsistency, learning_rate

CONFIG = TrainConfig(
    architecture="m_hrnet",
    width=18,
    mpp=0.25,
    weights={"bcdata": 1.0},
    steps=4,
    batch_size=2,
    crop_px=64,
    learning_rate=1e-3,
    weight_decay=0.01,
    warmup_steps=2,
    scale_jitter=0.2,
    ema_decay=0.9,
    validate_on=("bcdata",),
    checkpoint_steps=2,
    seed=1,
)


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_bcdata(folder / "bcdata")
    return folder


def test_continues_as_if_never_killed(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    whole = train(CONFIG, data, tmp_path / "whole", device="cpu", report=lines.append)
    assert any("bcdata F1" in line for line in lines)

    def killing(line: str) -> None:
        if line.startswith("step 2:"):
            raise KilledError

    with pytest.raises(KilledError):
        train(CONFIG, data, tmp_path / "killed", device="cpu", report=killing)
    continued: list[str] = []
    resumed = train(CONFIG, data, tmp_path / "killed", device="cpu", report=continued.append)
    assert continued[0] == "continuing from step 2 of 4"
    expected, found = load_file(whole), load_file(resumed)
    assert expected.keys() == found.keys()
    for name in expected:
        assert torch.equal(expected[name], found[name]), name


def test_refuses_another_configurations_folder(data: Path, tmp_path: Path) -> None:
    short = replace(CONFIG, steps=1, checkpoint_steps=1, validate_on=())
    train(short, data, tmp_path, device="cpu", report=lambda line: None)
    with pytest.raises(ModelError, match="belongs to another configuration"):
        train(replace(short, seed=2), data, tmp_path, device="cpu", report=lambda line: None)


def test_loss_falls(data: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=80, checkpoint_steps=80, validate_on=(), learning_rate=3e-3)
    train(config, data, tmp_path, device="cpu", report=lambda line: None)
    with (tmp_path / "log.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 4
    assert losses[-1] < 0.6 * losses[0], losses


def test_windows_depend_on_seed_and_number_alone(data: Path) -> None:
    images = read_dataset("bcdata", data / "bcdata", "train")
    sampler = WindowSampler(images, {"bcdata": 1.0}, 0.25, 64, 0.2, seed=3)
    first = list(islice(sampler.requests(), 20))
    assert list(islice(sampler.requests(7), 13)) == first[7:]
    assert len({request.window for request in first}) > 15
    assert all(0.25 / 1.2 <= request.mpp <= 0.25 * 1.2 for request in first)


def test_learning_rate_by_hand() -> None:
    config = replace(CONFIG, steps=102, warmup_steps=2, learning_rate=0.1)
    # Warm-up in two steps, the cosine's half way at step 52, its end at step 102.
    assert [round(learning_rate(config, step), 6) for step in (0, 1, 2, 52, 102)] == [
        0.05,
        0.1,
        0.1,
        0.05,
        0.0,
    ]


def test_starts_from_a_model_and_keeps_its_norms(data: Path, tmp_path: Path) -> None:
    model = tiny_bundle(tmp_path / "model")
    config = replace(
        CONFIG,
        init=str(model.directory),
        consistency=50.0,
        crop_px=256,
        steps=1,
        batch_size=1,
        validate_on=(),
    )
    trained = read_trained(train(config, data, tmp_path / "run", device="cpu", report=lambda line: None))
    changed = 0
    for name, value in load_network(model).state_dict().items():
        same = torch.equal(value, trained.weights[name])
        if "running_" in name or "num_batches" in name:
            assert same, name
        changed += not same
    assert changed > 100


class FarSighted(torch.nn.Module):
    """A network that sees how much white a whole image has, and one px of it: maps depend on all that a crop holds."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + x.mean(dim=(2, 3), keepdim=True)


def test_inconsistency_by_hand() -> None:
    # A crop of 320 px that is 1 at its outermost px row alone: mean 1 / 320. Its middle part of 192 px is all 0.
    pixels = torch.zeros(2, 3, 320, 320)
    pixels[:, :, 0] = 1
    network = FarSighted()
    assert float(_inconsistency(network, pixels, network(pixels))) == pytest.approx((1 / 320) ** 2)
    assert float(_inconsistency(torch.nn.Identity(), pixels, pixels)) == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("steps = 0", "steps must be above 0"),
        ("crop_px = 100", "multiple of 32"),
        ("colour = 1", "unknown or missing entries: colour"),
        ("consistency = -1.0", "consistency must be 0 or more"),
        ('validate_on = ["nonesuch"]', "no data set is called nonesuch"),
        ("steps = [", "can't be read as TOML"),
    ],
)
def test_wrong_configuration(tmp_path: Path, change: str, says: str) -> None:
    shipped = Path(__file__).parents[2] / "workflows/shipped_model/train.toml"
    lines = shipped.read_text().splitlines()
    assert read_config(shipped).network.width == 18
    name = change.split(" = ")[0]
    changed = [change if line.startswith(f"{name} = ") else line for line in lines]
    path = tmp_path / "train.toml"
    path.write_text("\n".join(changed if changed != lines else [change, *lines]))
    with pytest.raises(UsageError, match=says):
        read_config(path)
