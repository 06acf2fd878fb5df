"""Parameters counted from publications' descriptions, layer by layer: what the networks' sizes are held against."""

from collections.abc import Callable

import torch
from torch import nn


def parameters(made: Callable[[], nn.Module]) -> int:
    """Of the network that is made, which gets no weights for it: the only count here that isn't by hand."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in made().parameters())


def conv(inputs: int, outputs: int, kernel: int) -> int:
    """Of a convolution with a bias, transposed or not."""
    return inputs * outputs * kernel**2 + outputs


def conv_norm(inputs: int, outputs: int, kernel: int, *, groups: int = 1) -> int:
    """Of a convolution without bias and its batch norm."""
    return inputs // groups * outputs * kernel**2 + 2 * outputs


def unet(inputs: int) -> int:
    """Of U-Net's 18 3×3 convolutions with batch norm and its four up-convolutions (Ronneberger et al. 2015, Fig. 1)."""
    total, before = 0, inputs
    for channels in (64, 128, 256, 512, 1024):
        total += conv_norm(before, channels, 3) + conv_norm(channels, channels, 3)
        before = channels
    for channels in (512, 256, 128, 64):
        total += conv(2 * channels, channels, 2)
        total += conv_norm(2 * channels, channels, 3) + conv_norm(channels, channels, 3)
    return total
