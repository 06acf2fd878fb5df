"""A convolution with its batch norm: what networks are made of, and what becomes one layer at inference."""

from __future__ import annotations

import copy
from typing import Literal, TypeVar

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from wsi_edt.networks.difference import MGA, DifferenceConv2d

Padding = Literal["zeros", "replicate"]
M = TypeVar("M", bound=nn.Module)


class ConvNorm(nn.Module):
    """A convolution without bias, batch norm, and ReLU if `relu` is set."""

    def __init__(self, convolution: nn.Module, channels: int, *, relu: bool = True) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm: nn.Module = nn.BatchNorm2d(channels)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, channels, H / stride, W / stride)."""
        y: Tensor = self.norm(self.convolution(x))
        return functional.relu(y, inplace=True) if self.relu else y

    def fuse(self) -> None:
        """Make it one convolution, with the norm in its weights and a bias; differences become plain convolutions first."""
        if isinstance(self.convolution, MGA | DifferenceConv2d):
            self.convolution = self.convolution.folded().eval()
        if isinstance(self.norm, nn.BatchNorm2d):
            transposed = isinstance(self.convolution, nn.ConvTranspose2d)
            self.convolution = fuse_conv_bn_eval(self.convolution, self.norm, transpose=transposed)  # type: ignore[type-var]
            self.norm = nn.Identity()


def conv_norm(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int = 3,
    stride: int = 1,
    relu: bool = True,
    padding: Padding = "zeros",
) -> ConvNorm:
    """A plain k×k convolution with batch norm, padded so that stride 1 keeps the size."""
    convolution = nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=kernel // 2,
        bias=False,
        padding_mode=padding,
    )
    return ConvNorm(convolution, out_channels, relu=relu)


def with_fused_norms(network: M) -> M:
    """A copy of `network` in eval mode, without gradients, each of whose `ConvNorm`s and MGAs is one convolution."""
    network = copy.deepcopy(network).eval()
    for block in list(network.modules()):
        if isinstance(block, ConvNorm):
            block.fuse()
        for name, child in block.named_children():
            if isinstance(child, MGA):
                setattr(block, name, child.folded().eval())
    return network.requires_grad_(False)
