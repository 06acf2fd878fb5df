"""Lite-UNet's size, and its parts against formulas written out in NumPy."""

import numpy as np
import torch
from torch import nn

from tests.networks import by_hand
from wsi_edt.networks.difference import DifferenceConv2d
from wsi_edt.networks.lite_unet import (
    ConvolutionalAttention,
    Ghost,
    GraphCorrelationAttention,
    LiteUNet,
)


def expected_parameters(maps: int) -> int:
    """Counted from the description of its parts; the publication's own figure isn't at hand."""

    def ghost(inputs: int, outputs: int) -> int:
        half = outputs // 2
        return by_hand.conv_norm(inputs, half, 1) + by_hand.conv_norm(half, half, 3, groups=half)

    def block(inputs: int, outputs: int) -> int:
        attention = 2 * outputs * (outputs // 16) + 2 * 7 * 7
        shortcut = by_hand.conv_norm(inputs, inputs, 3, groups=inputs)
        shortcut += by_hand.conv_norm(inputs, outputs, 1)
        return ghost(inputs, outputs) + attention + ghost(outputs, outputs) + shortcut

    branches = (32,), (16, 32), (16, 32, 32), (32,)
    total = by_hand.conv_norm(4 * 32, 32, 1)
    for branch in branches:
        total += sum(by_hand.conv_norm(*pair, 3) for pair in zip((3, *branch[:-1]), branch, strict=True))
    for channels in (32, 64, 128, 256):
        total += block(channels, 2 * channels)
        total += by_hand.conv_norm(2 * channels, channels, 3, groups=4) + block(2 * channels, channels)
    graph = 1024 * 512 + (1025 * 512 + 513 * 512 + 513 * 1024 + 1025 * 1024)
    return total + graph + by_hand.conv(32, maps, 1)


def test_parameters() -> None:
    found = by_hand.parameters(lambda: LiteUNet(maps=1))
    assert found == expected_parameters(1)


def test_graph_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    attention = GraphCorrelationAttention().double()
    x = torch.randn(1, 6, 32, 32, dtype=torch.float64)
    nodes = x.numpy()[0].reshape(6, 1024)
    embedded = nodes @ attention.embed.weight.detach().numpy().T
    graph = np.empty((6, 6))
    for one in range(6):
        for other in range(6):
            lengths = np.linalg.norm(embedded[one]) * np.linalg.norm(embedded[other])
            graph[one, other] = embedded[one] @ embedded[other] / lengths
    graph /= np.abs(graph).sum(axis=1, keepdims=True)
    for layer in attention.convolutions:
        assert isinstance(layer, nn.Linear)
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        nodes = np.maximum(graph @ (nodes @ weight.T + bias), 0)
    expected = x.numpy() / (1 + np.exp(-nodes.reshape(1, 6, 32, 32)))
    with torch.inference_mode():
        np.testing.assert_allclose(attention(x).numpy(), expected, rtol=1e-9)


def test_graph_attention_takes_any_size() -> None:
    attention = GraphCorrelationAttention()
    with torch.inference_mode():
        for height, width in ((2, 3), (40, 64)):
            x = torch.rand(1, 8, height, width) + 0.1
            share = attention(x) / x
            assert share.shape == x.shape
            assert 0.5 <= share.min() < share.max() <= 1


def test_convolutional_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    attention = ConvolutionalAttention(32).double()
    x = torch.randn(1, 32, 3, 5, dtype=torch.float64)
    down, up = (one.detach().numpy()[..., 0, 0] for one in attention.of_channels.parameters())
    values = x.numpy()[0]
    scores = sum(
        up @ np.maximum(down @ pooled, 0) for pooled in (values.mean(axis=(1, 2)), values.max(axis=(1, 2)))
    )
    values = values / (1 + np.exp(-scores))[:, np.newaxis, np.newaxis]
    both = np.pad(np.stack([values.max(axis=0), values.mean(axis=0)]), ((0, 0), (3, 3), (3, 3)))
    kernel = attention.of_px.weight.detach().numpy()[0]
    scores = np.array(
        [
            [(both[:, row : row + 7, column : column + 7] * kernel).sum() for column in range(5)]
            for row in range(3)
        ]
    )
    expected = values / (1 + np.exp(-scores))
    with torch.inference_mode():
        np.testing.assert_allclose(attention(x).numpy()[0], expected, rtol=1e-9)


def test_a_ghost_comes_from_one_intrinsic_feature() -> None:
    ghost = Ghost(4, 6, relu=False).double().eval()
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = ghost(x)
        intrinsic = ghost.intrinsic.convolution
        assert isinstance(intrinsic, nn.Conv2d)
        intrinsic.weight[1] += 1
        changed = (ghost(x) - before).abs().amax(dim=(0, 2, 3)) > 0
    assert changed.tolist() == [False, True, False, False, True, False]


def test_its_difference_convolutions_fold() -> None:
    network = LiteUNet(maps=1)
    assert sum(isinstance(module, DifferenceConv2d) for module in network.modules()) == 4
    assert not [module for module in network.folded().modules() if isinstance(module, DifferenceConv2d)]
