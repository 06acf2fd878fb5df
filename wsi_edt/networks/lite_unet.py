"""Lite-UNet: a U-Net of few weights that finds cells (Li et al. 2023), from the authors of the exponential distance map.

image → gradient aggregation (1/1) → four times: pool, ghost block (1/16) → graph correlation attention
→ four times: double, join with the level beside it, ghost block (1/1) → maps

Source: B. Li et al., "Lite-UNet: a lightweight and efficient network for cell localization", Engineering Applications of
Artificial Intelligence 129 (2024; online 2023), whose abstract names the three modules. Their sizes and order follow the
model that the authors published, which was read for this; the code is our own. Parts: K. Han et al., "GhostNet", CVPR
2020, §3.1; S. Woo et al., "CBAM", ECCV 2018, §3. Read differently, so that images may have any size and equal images have
equal maps: the graph sees the coarsest features pooled to 32×32, their size at the paper's 512×512; the rows of the graph
are scaled to a sum of 1; one embedding serves both sides of a correlation; no dropout.

Both attentions see all of a tile: what a px gets depends on what else its tile shows, however wide the halo is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import ConvNorm, conv_norm, with_fused_norms
from wsi_edt.networks.difference import DifferenceConv2d
from wsi_edt.networks.full_size import initialise, map_layer
from wsi_edt.networks.network import Network

LITE_CHANNELS = (32, 64, 128, 256, 512)  # at 1/1, 1/2, 1/4, 1/8, 1/16
REDUCTION = 16  # of CBAM's channels
GRAPH_SIDE = 32  # px of the coarsest features that the graph sees
GRAPH_FEATURES = 512
GROUPS = 4  # of the convolutions behind each doubling


class GradientAggregation(nn.Module):
    """Four branches side by side, each with a difference convolution: of 3, 5, 7 px, and of means of 3×3 px; then a 1×1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2

        def sharpened(out_channels: int) -> nn.Sequential:
            return _clipped(ConvNorm(DifferenceConv2d(3, out_channels), out_channels, relu=False))

        def widened(in_channels: int) -> nn.Sequential:
            return _clipped(conv_norm(in_channels, channels, relu=False))

        self.branches = nn.ModuleList(
            [
                sharpened(channels),
                nn.Sequential(sharpened(half), widened(half)),
                nn.Sequential(sharpened(half), widened(half), widened(channels)),
                nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), sharpened(channels)),
            ]
        )
        self.mix = _clipped(conv_norm(4 * channels, channels, kernel=1, relu=False))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, channels, H, W)."""
        mixed: Tensor = self.mix(torch.cat([branch(x) for branch in self.branches], dim=1))
        return mixed


def _clipped(layer: ConvNorm) -> nn.Sequential:
    return nn.Sequential(layer, nn.ReLU6())


class Ghost(nn.Module):
    """Half of the features by a 1×1 convolution, each of the others by a 3×3 one from one of these (Han et al. 2020)."""

    def __init__(self, in_channels: int, out_channels: int, *, relu: bool) -> None:
        super().__init__()
        half = out_channels // 2
        self.intrinsic = conv_norm(in_channels, half, kernel=1, relu=relu)
        self.ghosts = ConvNorm(nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False), half, relu=relu)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, H, W)."""
        intrinsic = self.intrinsic(x)
        return torch.cat([intrinsic, self.ghosts(intrinsic)], dim=1)


class ConvolutionalAttention(nn.Module):
    """CBAM: weighs the channels, then the px, both by means and maxima (Woo et al. 2018, Eqs. 1–3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        within = channels // REDUCTION
        self.of_channels = nn.Sequential(
            nn.Conv2d(channels, within, 1, bias=False), nn.ReLU(), nn.Conv2d(within, channels, 1, bias=False)
        )
        self.of_px = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        mean, most = x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
        x = x * (self.of_channels(mean) + self.of_channels(most)).sigmoid()
        both = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)  # (B, 2, H, W)
        weighed: Tensor = x * self.of_px(both).sigmoid()
        return weighed


class GhostBlock(nn.Module):
    """The paper's Ghost_CBAM: two ghost layers with attention between them, around a depth-wise separable shortcut."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Ghost(in_channels, out_channels, relu=True),
            ConvolutionalAttention(out_channels),
            Ghost(out_channels, out_channels, relu=False),
        )
        each = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.shortcut = nn.Sequential(
            ConvNorm(each, in_channels, relu=False),
            conv_norm(in_channels, out_channels, kernel=1, relu=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, H, W)."""
        summed: Tensor = self.body(x) + self.shortcut(x)
        return summed


class GraphCorrelationAttention(nn.Module):
    """Weighs features by a graph whose nodes are the channels, joined as far as their embeddings point one way."""

    def __init__(self) -> None:
        super().__init__()
        px = GRAPH_SIDE**2
        self.embed = nn.Linear(px, GRAPH_FEATURES, bias=False)
        sizes = (px, GRAPH_FEATURES, GRAPH_FEATURES, px, px)
        self.convolutions = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        nodes = functional.adaptive_avg_pool2d(x, GRAPH_SIDE).flatten(2)  # (B, C, 1024)
        embedded = functional.normalize(self.embed(nodes), dim=2)
        cosines = embedded @ embedded.transpose(1, 2)  # (B, C, C) in [-1, 1]
        graph = cosines / cosines.abs().sum(dim=2, keepdim=True)
        for convolution in self.convolutions:
            nodes = functional.relu(graph @ convolution(nodes))
        by_px = nodes.reshape(*x.shape[:2], GRAPH_SIDE, GRAPH_SIDE)
        weights = by_px.sigmoid()  # at least 0.5, as in the authors' model
        return x * functional.interpolate(weights, size=x.shape[-2:], mode="bilinear", align_corners=False)


class Rise(nn.Module):
    """One step of the way up: doubled, a convolution in four groups that halves the channels, the finer level beside it."""

    def __init__(self, fine_channels: int) -> None:
        super().__init__()
        halve = nn.Conv2d(2 * fine_channels, fine_channels, 3, padding=1, groups=GROUPS, bias=False)
        self.halve = ConvNorm(halve, fine_channels)
        self.blend = GhostBlock(2 * fine_channels, fine_channels)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(B, 2 · C, H / 2, W / 2) and (B, C, H, W) → (B, C, H, W)."""
        doubled = self.halve(functional.interpolate(coarse, scale_factor=2, mode="nearest"))
        blended: Tensor = self.blend(torch.cat([fine, doubled], dim=1))
        return blended


class LiteUNet(Network):
    """Lite-UNet with `maps` output maps."""

    stride: ClassVar[int] = 16

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.aggregate = GradientAggregation(LITE_CHANNELS[0])
        self.levels = nn.ModuleList(GhostBlock(*pair) for pair in pairwise(LITE_CHANNELS))
        self.correlate = GraphCorrelationAttention()
        self.rises = nn.ModuleList(Rise(channels) for channels in reversed(LITE_CHANNELS[:-1]))
        initialise(self)
        self.to_maps = map_layer(LITE_CHANNELS[0], maps, doubles=False)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 16 → (B, 32, H, W)."""
        fine = [self.aggregate(x)]
        for level in self.levels:
            fine.append(level(functional.max_pool2d(fine[-1], 2)))
        y: Tensor = self.correlate(fine.pop())  # (B, 512, H / 16, W / 16)
        for rise in self.rises:
            y = rise(y, fine.pop())
        return y

    @property
    def head(self) -> nn.Module:
        """(B, 32, H, W) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> LiteUNet:
        """A copy in eval mode with the same maps, to rounding, differences and batch norms within plain convolutions."""
        return with_fused_norms(self)
