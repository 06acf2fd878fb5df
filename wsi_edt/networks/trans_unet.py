"""TransUNet: a ResNet whose coarsest features pass a vision transformer, then a U-Net's way back (Chen et al. 2021).

image → ResNet-50 (to 1/16) → 12 transformer layers → four times: double, join the finer level, two convolutions → maps

Source: J. Chen et al., "TransUNet: transformers make strong encoders for medical image segmentation", arXiv:2102.04306,
§3 and Fig. 1: R50-ViT-B with the cascaded upsampler. The ResNet-50 has no last group and nine units, not six, in its
third, as in the hybrids of A. Dosovitskiy et al. ("An image is worth 16×16 words", ICLR 2021, Appendix). Read
differently: the ResNet has batch norm (He et al. 2016), where the hybrids' published weights have group norm; each step
of the upsampler has two convolutions, as in U-Net, where the text has one (with two there are the 105.3 M parameters that
later publications count), and batch norm; there is no dropout. Position embeddings are learnt for 14 × 14 tokens, and
enlarged linearly to what an image has.
"""

from __future__ import annotations

from typing import ClassVar

import einops  # noqa: F401  MONAI's blocks need it, and say so only where they run
import torch
from monai.networks.blocks.transformerblock import TransformerBlock
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import ConvNorm, conv_norm, with_fused_norms
from wsi_edt.networks.full_size import initialise, map_layer
from wsi_edt.networks.network import Network
from wsi_edt.networks.tokens import LINEAR_STD, as_image, as_tokens, initialise_linear

FIRST_CHANNELS = 64
RESIDUAL_UNITS = (3, 4, 9)
EXPANSION = 4
HIDDEN, HIDDEN_MLP, HEADS, LAYERS = 768, 3072, 12, 12  # of ViT-B
TRAINED_GRID = 14  # tokens a side, of the publication's images of 224 px
UPSAMPLER_CHANNELS = (512, 256, 128, 64, 16)  # at 1/16 to 1/1: Fig. 1
LEVEL_CHANNELS = (512, 256, 64, 0)  # of the encoder, at 1/8 to 1/1


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions around an identity, or around a 1×1 projection where size or channels change."""

    def __init__(self, in_channels: int, channels: int, *, stride: int) -> None:
        super().__init__()
        wide = EXPANSION * channels
        self.body = nn.Sequential(
            conv_norm(in_channels, channels, kernel=1),
            conv_norm(channels, channels, stride=stride),
        )
        self.last = conv_norm(channels, wide, kernel=1, relu=False)
        same = in_channels == wide and stride == 1
        self.shortcut = (
            nn.Identity() if same else conv_norm(in_channels, wide, kernel=1, stride=stride, relu=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, 4 · channels, H / stride, W / stride)."""
        return functional.relu(self.last(self.body(x)) + self.shortcut(x))

    def start_as_shortcut(self) -> None:
        """Begin training with the shortcut alone."""
        assert isinstance(self.last.norm, nn.BatchNorm2d)
        nn.init.zeros_(self.last.norm.weight)


class ResNet(nn.Module):
    """The convolutions that see the image."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = conv_norm(3, FIRST_CHANNELS, kernel=7, stride=2)
        self.groups = nn.ModuleList()
        channels = FIRST_CHANNELS
        for level, units in enumerate(RESIDUAL_UNITS):
            within = FIRST_CHANNELS * 2**level
            first = Bottleneck(channels, within, stride=1 if level == 0 else 2)
            channels = EXPANSION * within
            others = (Bottleneck(channels, within, stride=1) for _ in range(units - 1))
            self.groups.append(nn.Sequential(first, *others))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) → levels of 64, 256, 512 and 1024 channels at 1/2, 1/4, 1/8 and 1/16."""
        levels: list[Tensor] = [self.begin(x)]
        y = functional.max_pool2d(levels[0], 3, 2, 1)
        for group in self.groups:
            y = group(y)
            levels.append(y)
        return levels


class Transformer(nn.Module):
    """ViT-B's layers on the px of a level."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(in_channels, HIDDEN, 1)
        self.positions = nn.Parameter(torch.empty(1, HIDDEN, TRAINED_GRID, TRAINED_GRID))
        # Attention that is computed piece by piece: its matrix has a number for every two tokens.
        self.layers = nn.Sequential(
            *(
                TransformerBlock(HIDDEN, HIDDEN_MLP, HEADS, qkv_bias=True, use_flash_attention=True)
                for _ in range(LAYERS)
            )
        )
        for layer in self.layers:
            layer.norm_cross_attn = nn.Identity()  # MONAI makes one even where nothing uses it
        self.norm = nn.LayerNorm(HIDDEN)
        nn.init.trunc_normal_(self.positions, std=LINEAR_STD)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, 768, H, W)."""
        x = self.embed(x)
        positions = functional.interpolate(
            self.positions, size=x.shape[-2:], mode="bilinear", align_corners=False
        )
        return as_image(self.norm(self.layers(as_tokens(x + positions))), x)


class Rise(nn.Module):
    """One step of the upsampler: twice as large, the encoder's level beside it, two convolutions."""

    def __init__(self, in_channels: int, level_channels: int, out_channels: int) -> None:
        super().__init__()
        self.blend = nn.Sequential(
            conv_norm(in_channels + level_channels, out_channels), conv_norm(out_channels, out_channels)
        )

    def forward(self, coarse: Tensor, level: Tensor | None) -> Tensor:
        """(B, in, H / 2, W / 2) and (B, level, H, W) → (B, out, H, W)."""
        y = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        blended: Tensor = self.blend(y if level is None else torch.cat([y, level], dim=1))
        return blended


class TransUNet(Network):
    """TransUNet with `maps` output maps."""

    stride: ClassVar[int] = 16

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.resnet = ResNet()
        self.transformer = Transformer(EXPANSION * FIRST_CHANNELS * 2 ** (len(RESIDUAL_UNITS) - 1))
        self.widen: ConvNorm = conv_norm(HIDDEN, UPSAMPLER_CHANNELS[0])
        steps = zip(UPSAMPLER_CHANNELS, LEVEL_CHANNELS, UPSAMPLER_CHANNELS[1:], strict=False)
        self.rises = nn.ModuleList(Rise(*step) for step in steps)
        initialise(self)
        initialise_linear(self)
        for block in self.modules():
            if isinstance(block, Bottleneck):
                block.start_as_shortcut()
        self.to_maps = map_layer(UPSAMPLER_CHANNELS[-1], maps, doubles=False)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 16 → (B, 16, H, W)."""
        *levels, coarsest = self.resnet(x)
        y: Tensor = self.widen(self.transformer(coarsest))
        for rise in self.rises:
            y = rise(y, levels.pop() if levels else None)
        return y

    @property
    def head(self) -> nn.Module:
        """(B, 16, H, W) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> TransUNet:
        """A copy in eval mode with the same maps, to rounding, all batch norms within plain convolutions."""
        return with_fused_norms(self)
