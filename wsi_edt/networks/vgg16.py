"""VGG16 (Simonyan & Zisserman 2015, Table 1, column D) as a feature pyramid (Lin et al. 2017, §3).

image → five stages of 3×3 convolutions, halved between them → 1/4, 1/8, 1/16 → top down, each coarser one added to the next
finer → all at 1/4 → two transposed convolutions → maps

Read differently: batch norms stand behind the convolutions of the stages, because the publications start from ImageNet's
weights, and without either so many layers hardly learn; Lin et al. have residual networks of 1/4 to 1/32 in their pyramid,
VGG16's convolutions end at 1/16; its fully connected layers are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import ConvNorm, conv_norm, with_fused_norms
from wsi_edt.networks.full_size import doubled, initialise, map_layer
from wsi_edt.networks.network import Network
from wsi_edt.networks.stem import first_convolution

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions
FINEST_LEVEL = 2  # of the pyramid: the stage at 1/4
PYRAMID_CHANNELS = 256
HEAD_CHANNELS = 64


def vgg_stages(count: int, *, theta: float | None = None) -> nn.ModuleList:
    """The first stages of VGG16: stage i takes what is halved behind stage i − 1, and keeps its size.

    Parameters
    ----------
    count : of stages, 5 at most
    theta : of MGA in place of the first convolution (3 → 64); None: a plain one
    """
    widths = [64, *(channels for channels, _ in STAGES)]
    stages = nn.ModuleList()
    for (before, after), (_, convolutions) in zip(pairwise(widths), STAGES[:count], strict=False):
        layers = [conv_norm(before, after), *(conv_norm(after, after) for _ in range(convolutions - 1))]
        if not stages:
            layers[0] = ConvNorm(first_convolution(after, theta=theta), after)
        stages.append(nn.Sequential(*layers))
    return stages


class Pyramid(nn.Module):
    """Each level with what coarser ones know: 1×1 convolutions to one width, added from the coarsest down, then 3×3."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(width, PYRAMID_CHANNELS, 1) for width in channels)
        self.smooth = nn.ModuleList(
            nn.Conv2d(PYRAMID_CHANNELS, PYRAMID_CHANNELS, 3, padding=1) for _ in channels
        )

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Level i is (B, C, H / 2ⁱ, W / 2ⁱ); result i is (B, 256, H / 2ⁱ, W / 2ⁱ)."""
        merged = [lateral(level) for lateral, level in zip(self.lateral, levels, strict=True)]
        for finer in reversed(range(len(merged) - 1)):
            coarser = functional.interpolate(merged[finer + 1], scale_factor=2, mode="nearest")
            merged[finer] = merged[finer] + coarser
        return [smooth(level) for smooth, level in zip(self.smooth, merged, strict=True)]


class VGG16(Network):
    """VGG16 as a feature pyramid, with `maps` output maps."""

    stride: ClassVar[int] = 16

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.stages = vgg_stages(len(STAGES))
        self.pyramid = Pyramid([channels for channels, _ in STAGES[FINEST_LEVEL:]])
        levels = len(STAGES) - FINEST_LEVEL
        self.mix = conv_norm(levels * PYRAMID_CHANNELS, HEAD_CHANNELS, kernel=1)
        self.upsample = doubled(HEAD_CHANNELS, HEAD_CHANNELS)
        initialise(self)
        self.to_maps = map_layer(HEAD_CHANNELS, maps, doubles=True)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 16 → (B, 64, H / 2, W / 2)."""
        features: list[Tensor] = []
        for stage in self.stages:
            x = stage(functional.max_pool2d(x, 2) if features else x)
            features.append(x)
        finest, *coarser = self.pyramid(features[FINEST_LEVEL:])  # (B, 256, H / 4, W / 4) and on
        size = finest.shape[-2:]
        overlaid = [
            functional.interpolate(level, size=size, mode="bilinear", align_corners=False)
            for level in coarser
        ]
        mixed: Tensor = self.upsample(self.mix(torch.cat([finest, *overlaid], dim=1)))
        return mixed

    @property
    def head(self) -> nn.Module:
        """(B, 64, H / 2, W / 2) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> VGG16:
        """A copy in eval mode with the same maps, to rounding, all batch norms within convolutions."""
        return with_fused_norms(self)
