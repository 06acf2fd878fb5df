"""MPViT, small: patches of several sizes at each level, a transformer for each and a convolution beside (Lee et al. 2022).

image → stem (1/4) → four stages of 1, 3, 6 and 3 layers (1/4 to 1/32) → all at 1/4 → two transposed convolutions → maps

Source: Y. Lee et al., "MPViT: multi-path vision transformer for dense prediction", CVPR 2022, §3, Figs. 3 and 4, Table 1
(MPViT-S), whose four levels are overlaid as HRNet's are; attention and position encodings within it from W. Xu et al.,
"Co-scale conv-attentional image transformers", ICCV 2021, §3. Read differently: there is no stochastic depth.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wsi_edt.networks.conv_norm import ConvNorm, conv_norm, with_fused_norms
from wsi_edt.networks.full_size import initialise, map_layer
from wsi_edt.networks.network import Network
from wsi_edt.networks.overlay import OVERLAID_CHANNELS, Overlay
from wsi_edt.networks.tokens import as_image, as_tokens, initialise_linear

CHANNELS = (64, 128, 216, 288)  # of the stages
LAYERS = (1, 3, 6, 3)
PATHS = (2, 3, 3, 3)
HEADS = 8
MLP_RATIO = 4
ENCODED_HEADS = {3: 2, 5: 3, 7: 3}  # how many heads see their neighbours through a window of so many px


def _active(convolution: ConvNorm) -> nn.Sequential:
    return nn.Sequential(convolution, nn.Hardswish())


def _separable(channels: int, stride: int) -> nn.Sequential:
    """A patch embedding: a 3×3 convolution of each channel, then a 1×1: (B, C, H, W) → (B, C, H / stride, W / stride)."""
    of_each = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
    return nn.Sequential(of_each, _active(conv_norm(channels, channels, kernel=1, relu=False)))


class PositionEncoding(nn.Module):
    """What each value's neighbours add: convolutions of each channel, whose window grows from head to head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shares = [heads * channels // HEADS for heads in ENCODED_HEADS.values()]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(share, share, window, padding=window // 2, groups=share)
            for window, share in zip(ENCODED_HEADS, self.shares, strict=True)
        )

    def forward(self, values: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        parts = torch.split(values, self.shares, dim=1)
        seen = [convolve(part) for convolve, part in zip(self.convolutions, parts, strict=True)]
        return torch.cat(seen, dim=1)


class Attention(nn.Module):
    """Factorised attention: Q / √d · (softmax(K)ᵀ V), which costs no more than the tokens are many, and Q ∘ encoding(V)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_queries_keys_values = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.scale = (channels // HEADS) ** -0.5

    def forward(self, tokens: Tensor, image: Tensor, encode: PositionEncoding) -> Tensor:
        """(B, N, C), of an image of that size → the same shape."""
        queries, keys, values = self.to_queries_keys_values(tokens).chunk(3, dim=2)
        neighbours = as_tokens(encode(as_image(values, image)))
        q, k, v = (
            x.unflatten(2, (HEADS, -1)).transpose(1, 2) for x in (queries, keys, values)
        )  # (B, heads, N, d)
        context = k.softmax(dim=2).transpose(2, 3) @ v  # (B, heads, d, d)
        attended = (q * self.scale @ context).transpose(1, 2).flatten(2)
        projected: Tensor = self.project(attended + queries * neighbours)
        return projected


class TransformerLayer(nn.Module):
    """Attention, then two linear layers, each around an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attend = Attention(channels)
        self.think = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, MLP_RATIO * channels),
            nn.GELU(),
            nn.Linear(MLP_RATIO * channels, channels),
        )

    def forward(self, image: Tensor, encode: PositionEncoding) -> Tensor:
        """(B, C, H, W) → the same shape."""
        tokens = as_tokens(image)
        tokens = tokens + self.attend(self.norm(tokens), image, encode)
        return as_image(tokens + self.think(tokens), image)


class Path(nn.Module):
    """Transformer layers for patches of one size; all have the same position encodings."""

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.encode = PositionEncoding(channels)
        self.layers = nn.ModuleList(TransformerLayer(channels) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        for layer in self.layers:
            x = layer(x + self.place(x), self.encode)
        return x


class Local(nn.Module):
    """The convolutional path: 1×1, 3×3 of each channel and 1×1 around an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        of_each = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.body = nn.Sequential(
            _active(conv_norm(channels, channels, kernel=1, relu=False)),
            _active(ConvNorm(of_each, channels, relu=False)),
            conv_norm(channels, channels, kernel=1, relu=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        changed: Tensor = x + self.body(x)
        return changed


class Stage(nn.Module):
    """Patches of 3, 5 and 7 px (one, two and three 3×3 convolutions), a path for each, the local one, and all mixed."""

    def __init__(self, level: int) -> None:
        super().__init__()
        channels, paths = CHANNELS[level], PATHS[level]
        self.patches = nn.ModuleList(
            _separable(channels, 2 if level > 0 and size == 0 else 1) for size in range(paths)
        )
        self.local = Local(channels)
        self.paths = nn.ModuleList(Path(channels, LAYERS[level]) for _ in range(paths))
        mixed = conv_norm((1 + paths) * channels, _out_channels(level), kernel=1, relu=False)
        self.mix = _active(mixed)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, 2 · H, 2 · W), the first stage (B, C, H, W) → (B, the next stage's C, H, W)."""
        patches: list[Tensor] = []
        for embed in self.patches:
            x = embed(x)
            patches.append(x)
        seen = [path(one) for path, one in zip(self.paths, patches, strict=True)]
        mixed: Tensor = self.mix(torch.cat([self.local(patches[0]), *seen], dim=1))
        return mixed


def _out_channels(level: int) -> int:
    return CHANNELS[min(level + 1, len(CHANNELS) - 1)]


class MPViT(Network):
    """MPViT-S with `maps` output maps."""

    stride: ClassVar[int] = 32

    def __init__(self, maps: int) -> None:
        super().__init__()
        half = CHANNELS[0] // 2
        self.stem = nn.Sequential(
            _active(conv_norm(3, half, stride=2, relu=False)),
            _active(conv_norm(half, CHANNELS[0], stride=2, relu=False)),
        )
        levels = range(len(CHANNELS))
        self.stages = nn.ModuleList(Stage(level) for level in levels)
        self.overlay = Overlay([_out_channels(level) for level in levels])
        initialise(self)
        initialise_linear(self)
        self.to_maps = map_layer(OVERLAID_CHANNELS, maps, doubles=True)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 32 → (B, 64, H / 2, W / 2)."""
        x = self.stem(x)  # (B, 64, H / 4, W / 4)
        levels: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        features: Tensor = self.overlay(levels)
        return features

    @property
    def head(self) -> nn.Module:
        """(B, 64, H / 2, W / 2) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> MPViT:
        """A copy in eval mode with the same maps, to rounding, all batch norms within plain convolutions."""
        return with_fused_norms(self)
