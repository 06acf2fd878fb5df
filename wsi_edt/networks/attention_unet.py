"""Attention U-Net: a U-Net that weighs the finer levels, px by px, by what the coarser ones have seen (Oktay et al. 2018).

image → U-Net's way down (1/16) → four times: weigh the finer level, double, join, two convolutions → maps

Source: O. Oktay et al., "Attention U-Net: learning where to look for the pancreas", MIDL 2018, §2, Eqs. 1 and 2, Figs. 1
and 2, written for volumes, here for images. As in the text, the finest level is joined without a gate, and gates work on
the coarser grid, from which their coefficients are enlarged linearly. Read differently: levels have U-Net's channels;
within a gate, where the text doesn't say how many, there are half as many as it weighs; no deep supervision, since a
network has one set of maps here.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import with_fused_norms
from wsi_edt.networks.full_size import initialise, map_layer
from wsi_edt.networks.network import Network
from wsi_edt.networks.stem import first_convolution
from wsi_edt.networks.unet import UNET_CHANNELS, Encoder, Rise


class AttentionGate(nn.Module):
    """Additive attention (Eqs. 1 and 2): x̂ = sigmoid(ψ · ReLU(Wₓ x + W_g g + b_g) + b_ψ) · x."""

    def __init__(self, fine_channels: int, coarse_channels: int) -> None:
        super().__init__()
        within = fine_channels // 2
        self.of_fine = nn.Conv2d(fine_channels, within, 1, stride=2, bias=False)  # Wₓ, on the coarser grid
        self.of_coarse = nn.Conv2d(coarse_channels, within, 1)  # W_g and b_g
        self.weigh = nn.Conv2d(within, 1, 1)  # ψ and b_ψ

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(B, fine, H, W) and the gating signal, (B, coarse, H / 2, W / 2) → the first, weighed."""
        joint = functional.relu(self.of_fine(fine) + self.of_coarse(coarse))  # (B, fine / 2, H / 2, W / 2)
        weights = self.weigh(joint).sigmoid()  # (B, 1, H / 2, W / 2) in [0, 1]
        return fine * functional.interpolate(weights, scale_factor=2, mode="bilinear", align_corners=False)


class AttentionUNet(Network):
    """Attention U-Net with `maps` output maps."""

    stride: ClassVar[int] = 16

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.encoder = Encoder(first_convolution(UNET_CHANNELS[0], theta=None))
        self.rises = nn.ModuleList(Rise(channels) for channels in reversed(UNET_CHANNELS[:-1]))
        gated = reversed(UNET_CHANNELS[1:-1])
        self.gates = nn.ModuleList(AttentionGate(channels, 2 * channels) for channels in gated)
        initialise(self)
        self.to_maps = map_layer(UNET_CHANNELS[0], maps, doubles=False)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 16 → (B, 64, H, W)."""
        levels = self.encoder(x)
        y: Tensor = levels.pop()  # (B, 1024, H / 16, W / 16)
        for step, rise in enumerate(self.rises):
            fine = levels.pop()
            y = rise(y, self.gates[step](fine, y) if step < len(self.gates) else fine)
        return y

    @property
    def head(self) -> nn.Module:
        """(B, 64, H, W) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> AttentionUNet:
        """A copy in eval mode with the same maps, to rounding, all batch norms within plain convolutions."""
        return with_fused_norms(self)
