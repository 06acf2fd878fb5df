"""What a training takes from the model that it starts from: all of it, or the maps that both have."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles.weights import load_network, write_bundle
from wsi_edt.errors import ModelError
from wsi_edt.maps import DecodeSettings
from wsi_edt.networks import build_network
from wsi_edt.training import TrainConfig
from wsi_edt.training.starting import start_from


def config_with(**entries: object) -> TrainConfig:
    return TrainConfig.model_validate({"sets": [{"name": "bcdata", "weight": 1.0}], **entries})


@pytest.mark.parametrize(
    ("names", "from_places"),
    [
        (["positive", "negative", "nucleus"], [0, 1, 2]),
        (["nucleus"], [2]),
        (["positive", "negative"], [0, 1]),
    ],
)
def test_maps_are_those_of_the_model(tmp_path: Path, names: list[str], from_places: list[int]) -> None:
    model = tiny_bundle(tmp_path / "model")
    config = config_with(maps={"names": names})
    network = build_network(config.spec)
    start_from(model, network, config)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = load_network(model).eval()(x)[:, from_places]
        assert expected.std() > 0
        torch.testing.assert_close(network.eval()(x), expected)


def test_maps_that_the_model_lacks_start_fresh(tmp_path: Path) -> None:
    config = config_with(maps={"names": ["nucleus"]})
    known = build_network(config.spec)
    bundle = tiny_bundle(tmp_path / "model")
    start_from(bundle, known, config)
    one = replace(
        bundle,
        directory=tmp_path / "one",
        network=config.spec,
        decode=DecodeSettings(("nucleus",), "nucleus", 11, 0.3),
    )
    one = write_bundle(one, known.state_dict())
    three = config_with()
    torch.manual_seed(5)
    fresh = build_network(three.spec)
    before = fresh.head.state_dict()["weight"].clone()
    start_from(one, fresh, three)
    after = fresh.head.state_dict()["weight"]  # (in, maps, 4, 4)
    assert torch.equal(after[:, :2], before[:, :2])
    assert torch.equal(after[:, 2], load_network(one).head.state_dict()["weight"][:, 0])
    assert torch.equal(
        fresh.state_dict()["stem.0.norm.weight"], load_network(one).state_dict()["stem.0.norm.weight"]
    )


def test_another_network_is_refused(tmp_path: Path) -> None:
    config = config_with(network={"width": 32})
    with pytest.raises(ModelError, match=r"tiny is m_hrnet .width 18.* asks for m_hrnet .width 32"):
        start_from(tiny_bundle(tmp_path / "model"), build_network(config.spec), config)
