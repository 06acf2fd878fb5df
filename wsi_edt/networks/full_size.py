"""The way back to full resolution that all networks share: transposed convolutions, as the paper aligns them."""

from __future__ import annotations

from torch import nn

from wsi_edt.networks.conv_norm import ConvNorm


def doubled(in_channels: int, out_channels: int) -> ConvNorm:
    """(B, in, H, W) → (B, out, 2 · H, 2 · W), by a 4×4 transposed convolution with batch norm and ReLU."""
    return ConvNorm(nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=False), out_channels)


def map_layer(channels: int, maps: int, *, doubles: bool) -> nn.Module:
    """The head: (B, channels, H, W) → (B, maps, H, W), or twice as large by a 4×4 transposed convolution.

    Maps start near the empty one, which is right nearly everywhere.
    """
    layer: nn.ConvTranspose2d | nn.Conv2d
    layer = nn.ConvTranspose2d(channels, maps, 4, 2, 1) if doubles else nn.Conv2d(channels, maps, 1)
    nn.init.normal_(layer.weight, std=1e-3)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def initialise(body: nn.Module) -> None:
    """Fresh weights for convolutions that ReLUs follow; call it before the head is made, which has its own."""
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.ConvTranspose2d):
            # fan_out / 4: each output px of a 4×4 stride-2 transposed convolution sees 4 of the 16 taps.
            nn.init.normal_(module.weight, std=(2.0 / (4 * module.in_channels)) ** 0.5)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
