"""VGG16's size as published, and the pyramid's sums by hand."""

import pytest
import torch
from torch import nn

from wsi_edt.networks.vgg16 import VGG16, Pyramid

# Simonyan & Zisserman 2015, Table 2: 138 million for column D, among them three fully connected layers.
FULLY_CONNECTED = (25088 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
PUBLISHED_MILLIONS = 138


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameters() -> None:
    network = VGG16(3)
    assert sum(isinstance(one, nn.Conv2d) for one in network.stages.modules()) == 13
    # Where the publication has a bias, a batch norm has two weights a channel.
    channels = 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512
    assert round((parameters(network.stages) - channels + FULLY_CONNECTED) / 1e6) == PUBLISHED_MILLIONS
    assert parameters(network.stages) - channels == 14_714_688
    # Lin et al. 2017, §3: 1×1 convolutions from 256, 512 and 512 channels to 256, and a 3×3 one for each level.
    pyramid = (256 + 512 + 512) * 256 + 3 * 256 * 256 * 9 + 6 * 256
    head = 768 * 64 + 2 * 64 + 64 * 64 * 16 + 2 * 64 + 64 * 3 * 16 + 3
    assert parameters(network) == 14_714_688 + channels + pyramid + head


def test_pyramid_adds_coarser_levels_to_finer_ones() -> None:
    pyramid = Pyramid([1, 1, 1])
    for number, (lateral, smooth) in enumerate(zip(pyramid.lateral, pyramid.smooth, strict=True)):
        assert isinstance(lateral, nn.Conv2d) and isinstance(smooth, nn.Conv2d)
        nn.init.constant_(lateral.weight, 10.0**number)
        nn.init.dirac_(smooth.weight)
        for layer in (lateral, smooth):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    levels = [torch.ones(1, 1, 8, 8), torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 2, 2)]
    levels[2][0, 0, 0, 1] = 1  # the upper right quarter
    with torch.inference_mode():
        fine, middle, coarse = (level[0, 0] for level in pyramid(levels))
    assert coarse.tolist() == [[0, 100], [0, 0]]
    assert middle[:2, 2:].unique().tolist() == [110]
    assert middle[2:].unique().tolist() == [10]
    assert fine[:4, 4:].unique().tolist() == [111]
    assert fine[:4, :4].unique().tolist() == fine[4:].unique().tolist() == [11]


@pytest.mark.parametrize(("height", "width"), [(16, 48), (64, 32)])
def test_features_are_at_half_the_size(height: int, width: int) -> None:
    with torch.inference_mode():
        features = VGG16(1).eval().body(torch.zeros(1, 3, height, width))
    assert features.shape == (1, 64, height // 2, width // 2)
