"""Levels overlaid as HRNet's head overlays its branches, for backbones whose publication ends in levels, not in maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import conv_norm
from wsi_edt.networks.full_size import doubled

OVERLAID_CHANNELS = 64


class Overlay(nn.Module):
    """All levels enlarged to the finest one's size, stacked, mixed by a 1×1 convolution, and doubled once.

    Parameters
    ----------
    channels : of the levels, the finest first
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.mix = conv_norm(sum(channels), OVERLAID_CHANNELS, kernel=1)
        self.upsample = doubled(OVERLAID_CHANNELS, OVERLAID_CHANNELS)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Levels of (B, Cᵢ, H / 2ⁱ, W / 2ⁱ) → (B, 64, 2 · H, 2 · W)."""
        finest, *others = levels
        size = finest.shape[-2:]
        enlarged = [
            functional.interpolate(level, size=size, mode="bilinear", align_corners=False) for level in others
        ]
        features: Tensor = self.upsample(self.mix(torch.cat([finest, *enlarged], dim=1)))
        return features
