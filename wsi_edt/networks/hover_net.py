"""Hover-Net's encoder and one of its decoder branches, with a map head (Graham et al. 2019).

image → 7×7 convolution → four residual groups (1/1 to 1/8) → three times: double, add the finer level, convolve → maps

Source: S. Graham et al., "Hover-Net: simultaneous segmentation and classification of nuclei in multi-tissue histology
images", Medical Image Analysis 58 (2019) 101563, §3.1 and Fig. 3. The decoder's kernels are 5×5, as the authors corrected
the figure's 3×3 (github.com/vqdang/hover_net, issue 15); those of its dense units are in four groups, as in MONAI's
network. Read differently: convolutions are padded, so that maps have the image's size, where the publication turns 270 px
into 80 px; one of the three like branches is kept. MONAI's own padded form can't be used: in version 1.6.1 it adds the
finer levels only where it crops them, that is never, and its strided shortcuts lie one px off. The tests count its
parameters.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import conv_norm, with_fused_norms
from wsi_edt.networks.full_size import initialise, map_layer
from wsi_edt.networks.network import Network

FIRST_CHANNELS = 64
RESIDUAL_UNITS = (3, 4, 6, 3)  # of ResNet-50's groups
EXPANSION = 4
COARSEST_CHANNELS = 1024  # of the decoder
DENSE_UNITS = (8, 4)  # on 1/4 and 1/2
DENSE_CHANNELS, DENSE_WITHIN, DENSE_GROUPS = 32, 128, 4
DECODER_KERNEL = 5
HEAD_CHANNELS = 64


def _norm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def _convolution(
    in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)


class ResidualUnit(nn.Module):
    """1×1, 3×3 and 1×1 convolutions, each with its norm and ReLU before it (but where a group begins: it has had them)."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, begins: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Identity() if begins else _norm_relu(in_channels),
            conv_norm(in_channels, channels, kernel=1),
            conv_norm(channels, channels, stride=stride),
            _convolution(channels, EXPANSION * channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, 4 · channels, H / stride, W / stride), to be added to the shortcut."""
        change: Tensor = self.body(x)
        return change


class ResidualGroup(nn.Module):
    """Residual units, the first of which changes size and channels; norm and ReLU at the end."""

    def __init__(self, in_channels: int, channels: int, *, units: int, stride: int) -> None:
        super().__init__()
        wide = EXPANSION * channels
        self.shortcut = _convolution(in_channels, wide, 1, stride=stride)
        self.first = ResidualUnit(in_channels, channels, stride=stride, begins=True)
        self.others = nn.ModuleList(
            ResidualUnit(wide, channels, stride=1, begins=False) for _ in range(units - 1)
        )
        self.activate = _norm_relu(wide)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, 4 · channels, H / stride, W / stride)."""
        y = self.shortcut(x) + self.first(x)
        for unit in self.others:
            y = y + unit(y)
        activated: Tensor = self.activate(y)
        return activated


class DenseUnit(nn.Module):
    """A 1×1 and a 5×5 convolution, whose 32 channels are put behind those that came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _norm_relu(channels),
            conv_norm(channels, DENSE_WITHIN, kernel=1),
            _convolution(DENSE_WITHIN, DENSE_CHANNELS, DECODER_KERNEL, groups=DENSE_GROUPS),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C + 32, H, W)."""
        return torch.cat([x, self.body(x)], dim=1)


def _dense_block(in_channels: int, units: int) -> nn.Sequential:
    """(B, C, H, W) → (B, C / 4 + 32 · units, H, W)."""
    begin = in_channels // 4
    end = begin + DENSE_CHANNELS * units
    return nn.Sequential(
        _convolution(in_channels, begin, DECODER_KERNEL),
        *(DenseUnit(begin + DENSE_CHANNELS * unit) for unit in range(units)),
        _norm_relu(end),
        _convolution(end, end, 1),
    )


class HoverNet(Network):
    """Hover-Net's encoder and one decoder branch with `maps` output maps."""

    stride: ClassVar[int] = 8

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.begin = conv_norm(3, FIRST_CHANNELS, kernel=7)
        self.groups = nn.ModuleList()
        channels = FIRST_CHANNELS
        for level, units in enumerate(RESIDUAL_UNITS):
            within = FIRST_CHANNELS * 2**level
            stride = 1 if level == 0 else 2
            self.groups.append(ResidualGroup(channels, within, units=units, stride=stride))
            channels = EXPANSION * within
        self.narrow = _convolution(channels, COARSEST_CHANNELS, 1)
        self.blocks = nn.ModuleList()
        channels = COARSEST_CHANNELS
        for units in DENSE_UNITS:
            self.blocks.append(_dense_block(channels, units))
            channels = channels // 4 + DENSE_CHANNELS * units
        self.blocks.append(conv_norm(channels, HEAD_CHANNELS, kernel=DECODER_KERNEL))
        initialise(self)
        self.to_maps = map_layer(HEAD_CHANNELS, maps, doubles=False)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 8 → (B, 64, H, W)."""
        x = self.begin(x)
        levels: list[Tensor] = []  # level i is (B, 256 · 2ⁱ, H / 2ⁱ, W / 2ⁱ)
        for group in self.groups:
            x = group(x)
            levels.append(x)
        y: Tensor = self.narrow(levels.pop())  # (B, 1024, H / 8, W / 8)
        for block in self.blocks:
            y = block(functional.interpolate(y, scale_factor=2, mode="nearest") + levels.pop())
        return y

    @property
    def head(self) -> nn.Module:
        """(B, 64, H, W) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> HoverNet:
        """A copy in eval mode with the same maps, to rounding; norms before convolutions stay what they are."""
        return with_fused_norms(self)
