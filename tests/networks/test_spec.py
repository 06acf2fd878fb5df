"""What a network is built from: checked by its architecture, told as a table, read without torch."""

from dataclasses import fields
from typing import Any

import pytest
import torch

from wsi_edt.errors import UsageError
from wsi_edt.networks import NetworkSpec, build_network
from wsi_edt.networks.network import Network
from wsi_edt.networks.registry import ARCHITECTURES

KNOWN = ", ".join(ARCHITECTURES)  # in the registry's order


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_architecture_is_what_the_registry_says(architecture: str) -> None:
    spec = NetworkSpec.from_table({"architecture": architecture}, maps=2)
    assert spec.architecture == architecture == spec.options.architecture
    assert NetworkSpec.from_table(spec.to_table(), maps=2) == spec
    network = build_network(spec)
    assert isinstance(network, Network)
    assert network.stride == spec.stride
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, 3, 2 * spec.stride, spec.stride)).shape == (
            1,
            2,
            2 * spec.stride,
            spec.stride,
        )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_options_are_frozen_and_have_defaults(architecture: str) -> None:
    options: Any = ARCHITECTURES[architecture]
    made = options()
    for field in fields(options):
        with pytest.raises(AttributeError):
            setattr(made, field.name, None)


def test_of_a_table() -> None:
    spec = NetworkSpec.from_table({"architecture": "hrnet", "width": 32}, maps=1)
    assert spec.to_table() == {"architecture": "hrnet", "width": 32, "stem_stride": 2}
    assert str(spec) == "hrnet (width 32, stem_stride 2)"
    assert spec.options.title == "HRNet-w32"
    assert spec != NetworkSpec.from_table({"architecture": "m_hrnet", "width": 32}, maps=1)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"architecture": "m_resnet"}, f"network.architecture is 'm_resnet'; choose one of {KNOWN}"),
        ({"architecture": 3}, f"network.architecture is 3; choose one of {KNOWN}"),
        ({"width": 19}, "network.width is 19; m_hrnet takes 18, 32 or 48"),
        ({"width": "18"}, "network.width is '18'; m_hrnet takes 18, 32 or 48"),
        ({"width": 18.0}, "network.width is 18.0; m_hrnet takes 18, 32 or 48"),
        ({"architecture": "hrnet", "stem_stride": 4}, "network.stem_stride is 4; hrnet takes 2 or 1"),
        ({"stem_stride": True}, "network.stem_stride is True; m_hrnet takes 2 or 1"),
        (
            {"depth": 5},
            "network.depth isn't an option of m_hrnet; m_hrnet has architecture, width, stem_stride, theta",
        ),
    ],
)
def test_wrong_entries(table: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        NetworkSpec.from_table(table, maps=3)
    assert str(raised.value) == sentence


def test_a_network_has_a_map() -> None:
    with pytest.raises(UsageError, match="at least one map, not 0"):
        NetworkSpec.from_table({}, maps=0)
