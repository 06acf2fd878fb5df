"""The first encoder layer, 3 → 64 channels in most networks: a plain convolution, or MGA in the paper's M_ networks."""

from __future__ import annotations

from torch import nn

from wsi_edt.networks.difference import MGA


def first_convolution(
    channels: int, *, theta: float | None, stride: int = 1, bias: bool = False
) -> nn.Module:
    """From RGB to `channels` at 1 / stride: (B, 3, H, W) → (B, channels, H / stride, W / stride).

    Parameters
    ----------
    channels : of the result
    theta : of MGA's difference convolutions; None: a plain 3×3 convolution
    stride : of the layer
    bias : of the plain convolution, where no batch norm follows; MGA has none
    """
    if theta is None:
        return nn.Conv2d(3, channels, 3, stride, 1, bias=bias)
    return MGA(3, channels, stride=stride, theta=theta)
