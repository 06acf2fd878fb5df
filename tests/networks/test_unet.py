"""U-Net's size and layers from the publication, and which features each step of the way up joins."""

import torch
from torch import Tensor, nn

from tests.networks import by_hand
from wsi_edt.networks.unet import UNet


def test_parameters() -> None:
    found = by_hand.parameters(lambda: UNet(maps=1))
    assert found == by_hand.unet(3) + by_hand.conv(64, 1, 1)
    # The count that is printed for U-Net wherever it is built with padding, batch norm and three colours: 31.04 million.
    assert found == 31_037_633


def test_mga_replaces_the_first_convolution_alone() -> None:
    plain = by_hand.parameters(lambda: UNet(maps=1))
    with_mga = by_hand.parameters(lambda: UNet(maps=1, theta=0.7))
    # A 3×3 convolution, 3 → 64, for a 1×1, 3 → 16, and four 3×3, 16 → 16.
    assert with_mga - plain == (3 * 16 + 4 * 16 * 16 * 9) - 3 * 64 * 9


def test_it_has_the_23_convolutions_of_the_publication() -> None:
    # "In total the network has 23 convolutional layers" (Ronneberger et al. 2015, §2).
    with torch.device("meta"):
        network = UNet(maps=1)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(layers) == 23


def test_each_level_is_joined_at_its_own_resolution() -> None:
    """Level i in front of what rises to it, as Fig. 1 draws them."""
    torch.manual_seed(0)
    network = UNet(maps=1).eval()
    made: dict[int, Tensor] = {}
    joined: dict[int, Tensor] = {}
    for level in range(4):

        def keep_made(_module: nn.Module, _inputs: object, result: Tensor, level: int = level) -> None:
            made[level] = result

        def keep_joined(_module: nn.Module, inputs: tuple[Tensor], level: int = level) -> None:
            joined[level] = inputs[0]

        network.get_submodule(f"shape.encoder.levels.{level}").register_forward_hook(keep_made)
        network.get_submodule(f"shape.rises.{3 - level}.blend").register_forward_pre_hook(keep_joined)
    with torch.inference_mode():
        network(torch.randn(1, 3, 32, 48))
    for level in range(4):
        channels = 64 * 2**level
        assert joined[level].shape == (1, 2 * channels, 32 // 2**level, 48 // 2**level)
        torch.testing.assert_close(joined[level][:, :channels], made[level])
