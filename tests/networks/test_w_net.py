"""W-Net's size, and that its second half sees the masks and nothing else."""

import torch
from torch import nn

from tests.networks import by_hand
from wsi_edt.networks.w_net import WNet


def test_parameters() -> None:
    found = by_hand.parameters(lambda: WNet(maps=2))
    masks, maps = by_hand.conv(64, 2, 1), by_hand.conv(64, 2, 1)
    assert found == by_hand.unet(3) + masks + by_hand.unet(2) + maps


def test_the_image_reaches_the_maps_through_the_masks_alone() -> None:
    torch.manual_seed(0)
    network = WNet(maps=2).eval()
    images = torch.randn(2, 3, 32, 48)
    with torch.inference_mode():
        masks = network.to_masks(images)
        assert masks.shape == (2, 2, 32, 48)
        assert 0 <= masks.min() < masks.max() <= 1
        first, second = network(images)
        assert not torch.equal(first, second)
        last = network.to_masks[1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)
        first, second = network(images)
        torch.testing.assert_close(first, second)
