"""CSRNet (Li et al. 2018); U-CSRNet, which brings its maps back to full size (Huang et al. 2020); and M_U-CSRNet (§3.3).

image → VGG16's first ten convolutions (1/8) → six convolutions of dilation 2 (CVPR 2018, §3.1 and Table 3, column B)
→ CSRNet: maps at 1/8, enlarged bilinearly, as its authors do; U-CSRNet (BCData, MICCAI 2020): three transposed convolutions
→ maps

Read differently: batch norms stand behind the convolutions, because the publications start from ImageNet's weights (see
`vgg16`). We don't know how wide U-CSRNet's way back is: here it has the 64 channels of the last dilated convolution.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from wsi_edt.networks.conv_norm import ConvNorm, with_fused_norms
from wsi_edt.networks.full_size import doubled, initialise, map_layer
from wsi_edt.networks.network import Network
from wsi_edt.networks.vgg16 import vgg_stages

FRONT_STAGES = 4  # of VGG16: ten convolutions
BACK_CHANNELS = (512, 512, 512, 512, 256, 128, 64)
DILATION = 2
DOWNSAMPLE = 8


def _trunk(theta: float | None) -> nn.Sequential:
    """Front and back end: (B, 3, H, W) → (B, 64, H / 8, W / 8)."""
    layers: list[nn.Module] = []
    for stage in vgg_stages(FRONT_STAGES, theta=theta):
        layers += [nn.MaxPool2d(2), stage] if layers else [stage]
    for before, after in pairwise(BACK_CHANNELS):
        convolution = nn.Conv2d(before, after, 3, padding=DILATION, dilation=DILATION, bias=False)
        layers.append(ConvNorm(convolution, after))
    return nn.Sequential(*layers)


class CSRNet(Network):
    """CSRNet with `maps` output maps."""

    stride: ClassVar[int] = DOWNSAMPLE

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.trunk = _trunk(None)
        initialise(self)
        enlarged = nn.Upsample(scale_factor=DOWNSAMPLE, mode="bilinear", align_corners=False)
        self.to_maps = nn.Sequential(map_layer(BACK_CHANNELS[-1], maps, doubles=False), enlarged)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 8 → (B, 64, H / 8, W / 8)."""
        features: Tensor = self.trunk(x)
        return features

    @property
    def head(self) -> nn.Module:
        """(B, 64, H / 8, W / 8) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> CSRNet:
        """A copy in eval mode with the same maps, to rounding, all batch norms within convolutions."""
        return with_fused_norms(self)


class UCSRNet(Network):
    """U-CSRNet with `maps` output maps; with `theta` it is M_U-CSRNet.

    Parameters
    ----------
    maps : output maps
    theta : of the difference convolutions of the first layer (3 → 64), the multi-scale gradient aggregation; None: a plain
        convolution
    """

    stride: ClassVar[int] = DOWNSAMPLE

    def __init__(self, maps: int, *, theta: float | None = None) -> None:
        super().__init__()
        self.trunk = _trunk(theta)
        channels = BACK_CHANNELS[-1]
        self.upsample = nn.Sequential(doubled(channels, channels), doubled(channels, channels))
        initialise(self)
        self.to_maps = map_layer(channels, maps, doubles=True)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 8 → (B, 64, H / 2, W / 2)."""
        features: Tensor = self.upsample(self.trunk(x))
        return features

    @property
    def head(self) -> nn.Module:
        """(B, 64, H / 2, W / 2) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> UCSRNet:
        """A copy in eval mode with the same maps, to rounding, MGA and all batch norms within plain convolutions."""
        return with_fused_norms(self)
