"""Difference convolution, and the multi-scale gradient aggregation (MGA) built from it: paper §3.3, Eqs. 7–9, Fig. 6."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.made_by_name import THETA

MGA_DILATIONS = (1, 2, 3, 4)  # receptive fields 3, 5, 7, 9


class DifferenceConv2d(nn.Module):
    """A 3×3 convolution of differences to the centre: ``y = conv(x; w) − θ · x · Σₙ wₙ`` (Eqs. 7–9), without bias.

    Both terms are linear in x, so that the second one folds into the kernel's centre tap (at a stride, the strided
    centre): the layer costs one plain convolution, in training as well as at inference.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, dilation: int = 1, stride: int = 1, theta: float = THETA
    ) -> None:
        super().__init__()
        self.dilation, self.stride, self.theta = dilation, stride, theta
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def folded_weight(self) -> Tensor:
        """The plain kernel that gives the same output: (out, in, 3, 3)."""
        at_centre = self.weight.sum(dim=(2, 3), keepdim=True) * self.theta  # (out, in, 1, 1)
        return self.weight - functional.pad(at_centre, (1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, H / stride, W / stride)."""
        return functional.conv2d(
            x, self.folded_weight(), stride=self.stride, padding=self.dilation, dilation=self.dilation
        )

    def folded(self) -> nn.Conv2d:
        """A plain convolution with the same output, to rounding."""
        out_channels, in_channels = self.weight.shape[:2]
        plain = nn.Conv2d(
            in_channels,
            out_channels,
            3,
            stride=self.stride,
            padding=self.dilation,
            dilation=self.dilation,
            bias=False,
        )
        plain.weight = nn.Parameter(self.folded_weight().detach())
        return plain


class MGA(nn.Module):
    """Multi-scale gradient aggregation: a 1×1 convolution, then four dilated difference convolutions, summed up in turn.

    The linear form of the paper's text: nothing non-linear stands behind the 1×1, so that the whole module equals one
    9×9 convolution (`folded`).
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, theta: float = THETA) -> None:
        super().__init__()
        assert out_channels % len(MGA_DILATIONS) == 0, (
            f"{out_channels} channels don't split into four branches"
        )
        width = out_channels // len(MGA_DILATIONS)
        self.stride = stride
        self.reduce = nn.Conv2d(in_channels, width, 1, bias=False)
        self.branches = nn.ModuleList(
            DifferenceConv2d(width, width, dilation=dilation, stride=stride, theta=theta)
            for dilation in MGA_DILATIONS
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, H / stride, W / stride)."""
        reduced = self.reduce(x)  # (B, out / 4, H, W)
        outputs: list[Tensor] = []
        for branch in self.branches:
            gradient = branch(reduced)
            outputs.append(gradient + outputs[-1] if outputs else gradient)
        return torch.cat(outputs, dim=1)

    def folded(self) -> nn.Conv2d:
        """One 9×9 convolution with the same output, to rounding."""
        reach = max(MGA_DILATIONS)
        size = 2 * reach + 1
        width, in_channels = self.reduce.weight.shape[:2]
        total = self.reduce.weight.new_zeros(width, width, size, size)
        kernels: list[Tensor] = []
        for branch in self.branches:
            assert isinstance(branch, DifferenceConv2d)
            first = reach - branch.dilation
            taps = slice(first, size - first, branch.dilation)
            total = total.clone()
            total[:, :, taps, taps] += branch.folded_weight()
            kernels.append(total)
        through_branches = torch.cat(kernels)  # (out, out / 4, 9, 9)
        weight = torch.einsum("omhw,mi->oihw", through_branches, self.reduce.weight[:, :, 0, 0])
        plain = nn.Conv2d(in_channels, len(weight), size, stride=self.stride, padding=reach, bias=False)
        plain.weight = nn.Parameter(weight.detach())
        return plain
