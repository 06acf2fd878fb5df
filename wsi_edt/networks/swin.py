"""Swin Transformer, tiny: attention within windows, which lie shifted in every second layer (Liu et al. 2021).

image → 4×4 patches → four stages of 2, 2, 6 and 2 layers (1/4 to 1/32) → all at 1/4 → two transposed convolutions → maps

Source: Z. Liu et al., "Swin Transformer: hierarchical vision transformer using shifted windows", ICCV 2021, §3 and Fig. 3:
Swin-T, whose four levels are overlaid as HRNet's are. Attention is MONAI's; the way into windows and back is written here,
since MONAI's (version 1.6.1) takes wrong relative positions for levels smaller than a window, and a converted network would
take images of one size only. Read differently: there is no stochastic depth, and levels smaller than a window are filled up
to one, and shifted too.
"""

from __future__ import annotations

from itertools import product
from typing import ClassVar

import torch
from monai.networks.blocks import MLPBlock
from monai.networks.nets.swin_unetr import WindowAttention
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import with_fused_norms
from wsi_edt.networks.full_size import initialise, map_layer
from wsi_edt.networks.network import Network
from wsi_edt.networks.overlay import OVERLAID_CHANNELS, Overlay
from wsi_edt.networks.tokens import initialise_linear

PATCH = 4  # px
CHANNELS = (96, 192, 384, 768)
LAYERS = (2, 2, 6, 2)
HEADS = (3, 6, 12, 24)
MLP_RATIO = 4
WINDOW = 7
SHIFT = WINDOW // 2
APART = -100.0  # is added to the attention between px that the shift has brought together


def into_windows(x: Tensor) -> Tensor:
    """(B, H, W, C), H and W multiples of 7 → (B · windows, 49, C)."""
    rows, columns = x.shape[1] // WINDOW, x.shape[2] // WINDOW
    x = x.reshape(x.shape[0], rows, WINDOW, columns, WINDOW, x.shape[3])
    return x.transpose(2, 3).flatten(0, 2).flatten(1, 2)


def out_of_windows(windows: Tensor, like: Tensor) -> Tensor:
    """(B · windows, 49, C) → (B, H, W, C), with the size of `like`."""
    rows, columns = like.shape[1] // WINDOW, like.shape[2] // WINDOW
    x = windows.reshape(like.shape[0], rows, columns, WINDOW, WINDOW, windows.shape[2])
    return x.transpose(2, 3).reshape(like.shape)


def apart(like: Tensor) -> Tensor:
    """What keeps px of a shifted image apart that weren't neighbours before: (windows, 49, 49), for a (B, H, W, C)."""
    regions = _region(like, 1)[:, None] * 3 + _region(like, 2)
    windows = into_windows(regions[None, ..., None])  # (windows, 49, 1)
    return (windows != windows.transpose(1, 2)).to(like.dtype) * APART


def _region(like: Tensor, side: int) -> Tensor:
    """Along a side: 0 before the last window, 1 in its part that stays, 2 in the part that comes from the other end."""
    at, size = torch.arange(like.shape[side], device=like.device), like.shape[side]
    return (at >= size - WINDOW).int() + (at >= size - SHIFT).int()


class Merge(nn.Module):
    """Half the size: 2 × 2 px become one of four times the channels, which a linear layer makes twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels)
        self.reduce = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C), H and W even → (B, H / 2, W / 2, 2 · C)."""
        four = torch.cat([x[:, row::2, column::2] for column, row in product((0, 1), (0, 1))], dim=3)
        merged: Tensor = self.reduce(self.norm(four))
        return merged


class SwinLayer(nn.Module):
    """Attention within windows, then two linear layers, each around an identity."""

    def __init__(self, channels: int, heads: int, *, shifted: bool) -> None:
        super().__init__()
        self.shifted = shifted
        self.norm = nn.LayerNorm(channels)
        self.attend = WindowAttention(channels, heads, (WINDOW, WINDOW), qkv_bias=True)
        self.think = nn.Sequential(nn.LayerNorm(channels), MLPBlock(channels, MLP_RATIO * channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) → the same shape."""
        height, width = x.shape[1:3]
        y = functional.pad(self.norm(x), (0, 0, 0, -width % WINDOW, 0, -height % WINDOW))
        if self.shifted:
            y = y.roll((-SHIFT, -SHIFT), (1, 2))
        windows = self.attend(into_windows(y), apart(y) if self.shifted else None)
        y = out_of_windows(windows, y)
        if self.shifted:
            y = y.roll((SHIFT, SHIFT), (1, 2))
        x = x + y[:, :height, :width]
        thought: Tensor = x + self.think(x)
        return thought


class Stage(nn.Module):
    """From the level above to its own: half the size (but for the first stage), then layers."""

    def __init__(self, level: int) -> None:
        super().__init__()
        channels = CHANNELS[level]
        self.merge = nn.Identity() if level == 0 else Merge(channels // 2)
        self.layers = nn.Sequential(
            *(SwinLayer(channels, HEADS[level], shifted=layer % 2 == 1) for layer in range(LAYERS[level]))
        )
        self.norm = nn.LayerNorm(channels)  # of what is overlaid

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2 · H, 2 · W, C / 2) → what the next stage takes, (B, H, W, C), and the level, (B, C, H, W)."""
        x = self.layers(self.merge(x))
        return x, self.norm(x).permute(0, 3, 1, 2)


class SwinTransformer(Network):
    """Swin-T with `maps` output maps."""

    stride: ClassVar[int] = 32

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, CHANNELS[0], PATCH, PATCH)
        self.norm = nn.LayerNorm(CHANNELS[0])
        self.stages = nn.ModuleList(Stage(level) for level in range(len(CHANNELS)))
        self.overlay = Overlay(CHANNELS)
        initialise(self)
        initialise_linear(self)
        self.to_maps = map_layer(OVERLAID_CHANNELS, maps, doubles=True)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 32 → (B, 64, H / 2, W / 2)."""
        y: Tensor = self.norm(self.embed(x).permute(0, 2, 3, 1))  # (B, H / 4, W / 4, 96)
        levels: list[Tensor] = []
        for stage in self.stages:
            y, level = stage(y)
            levels.append(level)
        features: Tensor = self.overlay(levels)
        return features

    @property
    def head(self) -> nn.Module:
        """(B, 64, H / 2, W / 2) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> SwinTransformer:
        """A copy in eval mode with the same maps, to rounding, all batch norms within plain convolutions."""
        return with_fused_norms(self)
