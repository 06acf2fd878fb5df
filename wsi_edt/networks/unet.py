"""U-Net and M_U-Net: down to 1/16 and back, each level joined to what came down beside it (Ronneberger et al. 2015).

image → two convolutions (1/1) → four times: pool, two convolutions (1/16)
→ four times: double, join with the level beside it, two convolutions (1/1) → maps

Source: O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for biomedical image segmentation", MICCAI 2015,
§2 and Fig. 1. Read differently, as most do today: convolutions are padded, so that maps have the image's size and nothing
is cropped; and each is followed by batch norm. M_U-Net's first convolution (3 → 64) is the paper's MGA.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import ConvNorm, conv_norm, with_fused_norms
from wsi_edt.networks.full_size import initialise, map_layer
from wsi_edt.networks.network import Network
from wsi_edt.networks.stem import first_convolution

UNET_CHANNELS = (64, 128, 256, 512, 1024)  # at 1/1, 1/2, 1/4, 1/8, 1/16: Fig. 1


def two_convolutions(in_channels: int, out_channels: int) -> nn.Sequential:
    """(B, in, H, W) → (B, out, H, W), by two 3×3 convolutions."""
    return nn.Sequential(conv_norm(in_channels, out_channels), conv_norm(out_channels, out_channels))


def begun_with(first: nn.Module) -> nn.Sequential:
    """(B, in, H, W) → (B, 64, H, W), by the network's first convolution, which may be MGA, and a 3×3 one."""
    channels = UNET_CHANNELS[0]
    return nn.Sequential(ConvNorm(first, channels), conv_norm(channels, channels))


class Encoder(nn.Module):
    """The way down: what `two_convolutions` make of each level. `first` is the very first convolution."""

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        coarser = [two_convolutions(*pair) for pair in pairwise(UNET_CHANNELS)]
        self.levels = nn.ModuleList([begun_with(first), *coarser])

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, in, H, W) → five levels: level i is (B, 64 · 2ⁱ, H / 2ⁱ, W / 2ⁱ)."""
        found: list[Tensor] = []
        for level in self.levels:
            found.append(level(functional.max_pool2d(found[-1], 2) if found else x))
        return found


class Rise(nn.Module):
    """One step of the way up: a 2×2 transposed convolution, the finer level beside its result, two convolutions."""

    def __init__(self, fine_channels: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(2 * fine_channels, fine_channels, 2, 2)
        self.blend = two_convolutions(2 * fine_channels, fine_channels)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(B, 2 · C, H / 2, W / 2) and (B, C, H, W) → (B, C, H, W)."""
        blended: Tensor = self.blend(torch.cat([fine, self.enlarge(coarse)], dim=1))
        return blended


class UShape(nn.Module):
    """A U-Net without its last layer; `first` is the very first convolution, from whatever it sees to 64 channels."""

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        self.encoder = Encoder(first)
        self.rises = nn.ModuleList(Rise(channels) for channels in reversed(UNET_CHANNELS[:-1]))

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W), H and W multiples of 16 → (B, 64, H, W)."""
        levels = self.encoder(x)
        y: Tensor = levels.pop()  # (B, 1024, H / 16, W / 16)
        for rise in self.rises:
            y = rise(y, levels.pop())
        return y


class UNet(Network):
    """U-Net with `maps` output maps; with `theta` it is M_U-Net.

    Parameters
    ----------
    maps : output maps
    theta : of the difference convolutions of the first layer, the multi-scale gradient aggregation; None: a plain one
    """

    stride: ClassVar[int] = 16

    def __init__(self, maps: int, theta: float | None = None) -> None:
        super().__init__()
        self.shape = UShape(first_convolution(UNET_CHANNELS[0], theta=theta))
        initialise(self)
        self.to_maps = map_layer(UNET_CHANNELS[0], maps, doubles=False)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 16 → (B, 64, H, W)."""
        features: Tensor = self.shape(x)
        return features

    @property
    def head(self) -> nn.Module:
        """(B, 64, H, W) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> UNet:
        """A copy in eval mode with the same maps, to rounding, MGA and all batch norms within plain convolutions."""
        return with_fused_norms(self)
