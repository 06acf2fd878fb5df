"""W-Net: one U-Net from the image to masks of the nuclei, a second one from the masks to their maps (Mao et al. 2021).

image → U-Net → masks in [0, 1] → U-Net → maps

Source: A. Mao et al., "W-Net: a two-stage convolutional network for nucleus detection in histopathology image", BIBM 2021
(arXiv 2110.13670), whose abstract splits the task in two: from the image to a binary mask, and from it to the density. Of
the networks of this name, it is the one made to find nuclei; that of Xia and Kulis (2017) is two U-Nets as well, but learns
to restore the image through a segmentation, without labels. Written from the abstract, and read so: both halves are U-Nets
of the usual width; there is a mask for each map, or the second half couldn't tell classes apart; and masks are learnt
through the maps alone, since a training here knows where cells are, not how far they reach.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from wsi_edt.networks.conv_norm import with_fused_norms
from wsi_edt.networks.full_size import initialise, map_layer
from wsi_edt.networks.network import Network
from wsi_edt.networks.stem import first_convolution
from wsi_edt.networks.unet import UNET_CHANNELS, UShape


class WNet(Network):
    """W-Net with `maps` output maps."""

    stride: ClassVar[int] = 16

    def __init__(self, maps: int) -> None:
        super().__init__()
        channels = UNET_CHANNELS[0]
        self.to_masks = nn.Sequential(
            UShape(first_convolution(channels, theta=None)), nn.Conv2d(channels, maps, 1), nn.Sigmoid()
        )
        self.from_masks = UShape(nn.Conv2d(maps, channels, 3, padding=1, bias=False))
        initialise(self)
        self.to_maps = map_layer(channels, maps, doubles=False)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 16 → (B, 64, H, W)."""
        masks = self.to_masks(x)  # (B, maps, H, W) in [0, 1]
        features: Tensor = self.from_masks(masks)
        return features

    @property
    def head(self) -> nn.Module:
        """(B, 64, H, W) → (B, maps, H, W)."""
        return self.to_maps

    def folded(self) -> WNet:
        """A copy in eval mode with the same maps, to rounding, all batch norms within plain convolutions."""
        return with_fused_norms(self)
