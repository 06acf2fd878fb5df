"""UNeXt: a small U of convolutions, whose coarsest levels are tokens that shifted MLPs mix (Valanarasu and Patel 2022).

image → three convolutions, each pooled (1/8) → two levels of tokens (1/16, 1/32) → two levels of tokens upwards (1/16, 1/8)
→ three convolutions upwards (1/1) → maps; each level upwards is doubled bilinearly and added to the one beside it

Source: J. M. J. Valanarasu, V. M. Patel, "UNeXt: MLP-based rapid medical image segmentation network", MICCAI 2022, §2 and
Figs. 1 and 2. Read differently: the text has 32, 64, 128, 160, 256 channels, but 16, 32, 128, 160, 256 are what makes its
1.47 million parameters (the former make 1.58), with as many hidden features in an MLP as its tokens have. Tokens are
normalised before an MLP as well as behind it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import conv_norm, with_fused_norms
from wsi_edt.networks.full_size import initialise, map_layer
from wsi_edt.networks.network import Network

UNEXT_CHANNELS = (16, 32, 128, 160, 256)  # at 1/2, 1/4, 1/8, 1/16, 1/32
SHIFTS_PX = (-2, -1, 0, 1, 2)  # of five groups of channels


def shifted(tokens: Tensor, axis: Literal[1, 2]) -> Tensor:
    """Five groups of channels, each moved by its share of px along an axis, zeros coming in: (B, H, W, C) → the same."""
    reach = max(SHIFTS_PX)
    padding = (0, 0, reach, reach) if axis == 2 else (0, 0, 0, 0, reach, reach)
    groups = functional.pad(tokens, padding).chunk(len(SHIFTS_PX), dim=3)
    moved = []
    for px, group in zip(SHIFTS_PX, groups, strict=True):
        window = slice(reach - px, -reach - px or None)
        moved.append(group[:, window] if axis == 1 else group[:, :, window])
    return torch.cat(moved, dim=3)


class ShiftedMLP(nn.Module):
    """Tokens mixed along rows, a depth-wise 3×3 convolution, GELU, tokens mixed along columns, all around an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.across = nn.Linear(channels, channels)
        self.place = nn.Conv2d(
            channels, channels, 3, padding=1, groups=channels
        )  # tells tokens where they are
        self.down = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, H, W, C) → the same shape."""
        y = self.across(shifted(self.norm(tokens), axis=2))
        y = functional.gelu(self.place(y.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        mixed: Tensor = self.down(shifted(y, axis=1))
        return tokens + mixed


class Tokens(nn.Module):
    """A block of tokens: normalised, if they come from a projection; mixed; normalised."""

    def __init__(self, channels: int, *, projected: bool) -> None:
        super().__init__()
        first = [nn.LayerNorm(channels)] if projected else []
        self.layers = nn.Sequential(*first, ShiftedMLP(channels), nn.LayerNorm(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        tokens: Tensor = self.layers(x.permute(0, 2, 3, 1))
        return tokens.permute(0, 3, 1, 2)


class UNeXt(Network):
    """UNeXt with `maps` output maps."""

    stride: ClassVar[int] = 32

    def __init__(self, maps: int) -> None:
        super().__init__()
        a, b, c, d, e = UNEXT_CHANNELS
        self.convolutions = nn.ModuleList([conv_norm(3, a), conv_norm(a, b), conv_norm(b, c)])
        self.projections = nn.ModuleList(
            nn.Conv2d(*pair, 3, stride=2, padding=1) for pair in ((c, d), (d, e))
        )
        self.tokens = nn.ModuleList(Tokens(width, projected=True) for width in (d, e))
        self.rises = nn.ModuleList(conv_norm(*pair) for pair in ((e, d), (d, c), (c, b), (b, a), (a, a)))
        self.risen_tokens = nn.ModuleList(Tokens(width, projected=False) for width in (d, c))
        _start(self)
        self.to_maps = map_layer(a, maps, doubles=False)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 32 → (B, 16, H, W)."""
        beside: list[Tensor] = []
        for convolution in self.convolutions:
            x = functional.max_pool2d(convolution(x), 2)
            beside.append(x)
        for project, tokens in zip(self.projections, self.tokens, strict=True):
            x = tokens(project(x))
            beside.append(x)
        beside.pop()  # (B, 256, H / 32, W / 32): x itself
        risen_tokens = list(self.risen_tokens)
        for rise in self.rises:
            x = functional.interpolate(rise(x), scale_factor=2, mode="bilinear", align_corners=False)
            x = x + beside.pop() if beside else x
            x = risen_tokens.pop(0)(x) if risen_tokens else x
        return x

    @property
    def head(self) -> nn.Module:
        """(B, 16, H, W) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> UNeXt:
        """A copy in eval mode with the same maps, to rounding, all batch norms within plain convolutions."""
        return with_fused_norms(self)


def _start(network: UNeXt) -> None:
    """Fresh weights; a channel of a depth-wise convolution sees 9 px, not all channels; MLPs start small."""
    initialise(network)
    for module in network.modules():
        if isinstance(module, ShiftedMLP):
            nn.init.normal_(module.place.weight, std=(2 / 9) ** 0.5)
            for linear in (module.across, module.down):
                nn.init.trunc_normal_(linear.weight, std=0.02)
                nn.init.zeros_(linear.bias)
