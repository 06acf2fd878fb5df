"""HRNet and M_HRNet: a network that keeps full-resolution features beside ever coarser ones (Sun et al. 2019; paper §3.3).

image → stem (1/4) → stage 1 → stages 2–4 on 2, 3, 4 resolutions → all at 1/4 → two transposed convolutions → maps
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import ConvNorm, Padding, conv_norm, with_fused_norms
from wsi_edt.networks.full_size import doubled, initialise, map_layer
from wsi_edt.networks.hrnet_options import HRNetOptions
from wsi_edt.networks.network import Network
from wsi_edt.networks.stem import first_convolution

STEM_CHANNELS = 64
BOTTLENECK_EXPANSION = 4
BLOCKS_PER_BRANCH = 4
MODULES_PER_STAGE = (1, 4, 3)  # stages 2, 3, 4
HEAD_CHANNELS = 64
# Blocks on 1/16 and 1/32 continue their edge px outwards instead of seeing zeros there: a tile is 16 px wide at 1/32, and
# zeros reached so far into it that tiles with a halo of 64 px agreed with the whole slide on 98.1 % of cells only.
FIRST_REPLICATING_BRANCH = 2


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around an identity."""

    def __init__(self, channels: int, padding: Padding = "zeros") -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_norm(channels, channels, padding=padding),
            conv_norm(channels, channels, relu=False, padding=padding),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        return functional.relu(self.body(x) + x)


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions around an identity (or a 1×1 projection where the channels change)."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        out_channels = channels * BOTTLENECK_EXPANSION
        self.body = nn.Sequential(
            conv_norm(in_channels, channels, kernel=1),
            conv_norm(channels, channels),
            conv_norm(channels, out_channels, kernel=1, relu=False),
        )
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else conv_norm(in_channels, out_channels, kernel=1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, 4 · channels, H, W)."""
        return functional.relu(self.body(x) + self.shortcut(x))


class Fusion(nn.Module):
    """Every resolution from every other: 1×1 and upsampling from coarser ones, strided 3×3 convolutions from finer ones."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.ModuleList(_fusion_path(channels, source, target) for source in range(len(channels)))
            for target in range(len(channels))
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Branch i is (B, C · 2ⁱ, H / 2ⁱ, W / 2ⁱ); so is result i."""
        fused: list[Tensor] = []
        for target, paths in enumerate(self.paths):
            assert isinstance(paths, nn.ModuleList)
            total = branches[target]
            for source, path in enumerate(paths):
                if source == target:
                    continue
                y = path(branches[source])
                if source > target:
                    y = functional.interpolate(y, scale_factor=2 ** (source - target), mode="nearest")
                total = total + y
            fused.append(functional.relu(total))
        return fused


def _fusion_path(channels: list[int], source: int, target: int) -> nn.Module:
    if source == target:
        return nn.Identity()
    if source > target:
        return conv_norm(channels[source], channels[target], kernel=1, relu=False)
    halvings = target - source
    steps = [conv_norm(channels[source], channels[source], stride=2) for _ in range(halvings - 1)]
    return nn.Sequential(*steps, conv_norm(channels[source], channels[target], stride=2, relu=False))


class MultiResolutionModule(nn.Module):
    """Four basic blocks on each resolution, then a fusion."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                *(
                    BasicBlock(width, "replicate" if branch >= FIRST_REPLICATING_BRANCH else "zeros")
                    for _ in range(BLOCKS_PER_BRANCH)
                )
            )
            for branch, width in enumerate(channels)
        )
        self.fusion = Fusion(channels)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Branch i is (B, C · 2ⁱ, H / 2ⁱ, W / 2ⁱ); so is result i."""
        fused: list[Tensor] = self.fusion(
            [blocks(x) for blocks, x in zip(self.branches, branches, strict=True)]
        )
        return fused


class HRNet(Network):
    """HRNetV2 of that `width` (18, 32 or 48) with `maps` output maps; with `theta` it is M_HRNet.

    Parameters
    ----------
    width : channels of the finest branch; the others have 2, 4 and 8 times as many
    maps : output maps
    theta : of the difference convolutions of the stem's first layer (3 → 64), the multi-scale gradient aggregation; None: a
        plain stem
    stem_stride : of that layer, 2 or 1; at 1 it sees full resolution, and two layers behind it, not one, halve
    """

    stride: ClassVar[int] = HRNetOptions.stride

    def __init__(self, width: int, *, maps: int, theta: float | None, stem_stride: int = 2) -> None:
        super().__init__()
        first = first_convolution(STEM_CHANNELS, theta=theta, stride=stem_stride)
        halving = 1 if stem_stride == 2 else 2  # layers: stage 1 works at 1/4
        self.stem = nn.Sequential(
            ConvNorm(first, STEM_CHANNELS),
            *(conv_norm(STEM_CHANNELS, STEM_CHANNELS, stride=2) for _ in range(halving)),
        )
        wide = STEM_CHANNELS * BOTTLENECK_EXPANSION
        self.stage1 = nn.Sequential(
            *(Bottleneck(STEM_CHANNELS if block == 0 else wide, STEM_CHANNELS) for block in range(4))
        )
        channels = [width, 2 * width]
        self.transition1 = nn.ModuleList([conv_norm(wide, width), conv_norm(wide, 2 * width, stride=2)])
        self.stages, self.transitions = nn.ModuleList(), nn.ModuleList()
        for modules in MODULES_PER_STAGE:
            self.stages.append(nn.ModuleList(MultiResolutionModule(channels) for _ in range(modules)))
            if len(channels) < 4:
                self.transitions.append(conv_norm(channels[-1], 2 * channels[-1], stride=2))
                channels = [*channels, 2 * channels[-1]]
        total = sum(channels)
        self.mix = conv_norm(total, HEAD_CHANNELS, kernel=1)
        self.upsample = doubled(HEAD_CHANNELS, HEAD_CHANNELS)
        initialise(self)
        self.to_maps = map_layer(HEAD_CHANNELS, maps, doubles=True)
        _start_as_identities(self)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 32 → (B, 64, H / 2, W / 2)."""
        x = self.stage1(self.stem(x))  # (B, 256, H / 4, W / 4)
        branches = [transition(x) for transition in self.transition1]
        for number, stage in enumerate(self.stages):
            assert isinstance(stage, nn.ModuleList)
            for module in stage:
                branches = module(branches)
            if number < len(self.transitions):
                branches = [*branches, self.transitions[number](branches[-1])]
        size = branches[0].shape[-2:]
        coarse = [
            functional.interpolate(y, size=size, mode="bilinear", align_corners=False) for y in branches[1:]
        ]
        features: Tensor = self.upsample(self.mix(torch.cat([branches[0], *coarse], dim=1)))
        return features

    @property
    def head(self) -> nn.Module:
        """(B, 64, H / 2, W / 2) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> HRNet:
        """A copy in eval mode with the same maps, to rounding, MGA and all batch norms within plain convolutions."""
        return with_fused_norms(self)


def _start_as_identities(network: HRNet) -> None:
    """Each residual block starts as its identity: deep stacks train from the first step."""
    for block in network.modules():
        if isinstance(block, BasicBlock | Bottleneck):
            last = block.body[-1]
            assert isinstance(last, ConvNorm) and isinstance(last.norm, nn.BatchNorm2d)
            nn.init.zeros_(last.norm.weight)
