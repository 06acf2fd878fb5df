"""Attention U-Net's size, its gate on numbers worked out by hand, and which levels have one."""

import math

import torch
from torch import nn

from tests.networks import by_hand
from wsi_edt.networks.attention_unet import AttentionGate, AttentionUNet
from wsi_edt.networks.unet import UNet


def test_parameters() -> None:
    found = by_hand.parameters(lambda: AttentionUNet(maps=1))
    gates = 0
    for fine in (512, 256, 128):  # not at full resolution
        within, coarse = fine // 2, 2 * fine
        gates += fine * within + by_hand.conv(coarse, within, 1) + by_hand.conv(within, 1, 1)
    assert found == by_hand.unet(3) + by_hand.conv(64, 1, 1) + gates


def test_gate_by_hand() -> None:
    gate = AttentionGate(2, 3)  # one feature within
    weights = {
        "of_fine.weight": [1.0, 2.0],
        "of_coarse.weight": [1.0, 0.0, -1.0],
        "of_coarse.bias": [0.5],
        "weigh.weight": [2.0],
        "weigh.bias": [-4.0],
    }
    state = {name: torch.tensor(weights[name]).reshape(one.shape) for name, one in gate.state_dict().items()}
    gate.load_state_dict(state)
    fine = torch.tensor([[1.0, 9.0], [9.0, 9.0]]).expand(1, 2, 2, 2)
    coarse = torch.tensor([1.0, 7.0, 2.0]).reshape(1, 3, 1, 1)
    # The grid's first px: 1·1 + 2·1 = 3; the signal: 1 − 2 + 0.5 = −0.5; ReLU(2.5) · 2 − 4 = 1.
    torch.testing.assert_close(gate(fine, coarse), fine / (1 + math.exp(-1)))
    # ReLU(3 − 10 + 0.5) = 0: the sigmoid of the bias is left.
    much = torch.tensor([0.0, 7.0, 10.0]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(gate(fine, much), fine / (1 + math.exp(4)))


def test_open_gates_leave_the_unet() -> None:
    """With coefficients of 1 it is a U-Net; with 0, of three of its four levels nothing is left."""
    network = AttentionUNet(maps=1).double().eval()
    plain = UNet(maps=1).double().eval()
    own = {name: one for name, one in network.state_dict().items() if not name.startswith("gates")}
    plain.load_state_dict({name if "to_maps" in name else f"shape.{name}": one for name, one in own.items()})
    x = torch.randn(1, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for name, parameter in network.gates.named_parameters():
        nn.init.constant_(parameter, 50.0 if name.endswith("weigh.bias") else 0.0)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), plain(x))
        for name, parameter in network.gates.named_parameters():
            if name.endswith("weigh.bias"):
                parameter.fill_(-50.0)
        expected = plain_without_gated_levels(plain, x)
        torch.testing.assert_close(network(x), expected)


def plain_without_gated_levels(plain: UNet, x: torch.Tensor) -> torch.Tensor:
    for step in range(3):
        rise = plain.get_submodule(f"shape.rises.{step}")
        rise.register_forward_pre_hook(lambda _module, inputs: (inputs[0], torch.zeros_like(inputs[1])))
    maps: torch.Tensor = plain(x)
    return maps
