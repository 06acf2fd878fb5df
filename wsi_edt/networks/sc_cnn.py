"""SC-CNN, the spatially constrained network (Sirinukunwattana et al., IEEE TMI 35, 2016, §III and Table I).

It looks at 27×27 px and says where in the middle 11×11 px up to two nuclei lie, and how sure it is: from that, and not from
learned pixels, a map is drawn which falls off around each of them.

image → 4×4 convolution, halved → 3×3 convolution, halved → 5×5 and 1×1 convolutions in place of the fully connected layers
(1/4: one window of 27 px every 4 px) → two nuclei a window → its 11×11 px drawn → the mean of all windows over a px → maps

Read differently: the windows of an image share their convolutions, which gives the same numbers as cutting them out one by
one; the input is RGB, not the haematoxylin of H&E; each map has nuclei of its own; dropout is left out, as nowhere here.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsi_edt.networks.conv_norm import with_fused_norms
from wsi_edt.networks.full_size import initialise
from wsi_edt.networks.network import Network

CHANNELS = (30, 60, 1024, 512)
DOWNSAMPLE = 4
# Of a window's 27 px, 11 lie before the first of its 4 px and 12 behind the last: its centre is the third.
PADDING = (11, 12, 11, 12)
CENTRE = 2
NUCLEI = 2  # of a window and a map: M in the publication, which found 2 better than 1
REACH = 5  # px from a window's centre to the edge of its 11×11 px
RADIUS = 4.0  # px around a nucleus in which its map isn't 0: d in the publication
START_HEIGHT = -3.0  # sigmoid: 0.05, since most windows hold no nucleus
STEPS = (-1, 0, 1)  # of 4 px, to the windows whose 11 px may cover a px


class SpatiallyConstrained(nn.Module):
    """From features to nuclei (the publication's layer S1), and from nuclei to maps (S2)."""

    def __init__(self, channels: int, maps: int) -> None:
        super().__init__()
        self.maps = maps
        self.nuclei = nn.Conv2d(channels, maps * NUCLEI * 3, 1)
        nn.init.normal_(self.nuclei.weight, std=1e-3)
        assert self.nuclei.bias is not None
        with torch.no_grad():
            self.nuclei.bias.zero_().view(-1, 3)[:, 2] = START_HEIGHT

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H / 4, W / 4) → (B, maps, H, W), from 0 to 1."""
        height, width = x.shape[-2:]
        found = functional.pad(torch.sigmoid(self.nuclei(x)), (1, 1, 1, 1))
        there = functional.pad(torch.ones_like(x[:, :1]), (1, 1, 1, 1))  # 0 where no window is
        total, windows = torch.zeros((), device=x.device), torch.zeros((), device=x.device)
        for down in STEPS:
            for right in STEPS:
                rows, columns = slice(1 + down, 1 + down + height), slice(1 + right, 1 + right + width)
                px = _pixels(down, right, like=x)
                covers = (px.abs().amax(dim=0) <= REACH) * there[..., rows, columns]  # (B, 16, H / 4, W / 4)
                nuclei = found[..., rows, columns].view(-1, self.maps * NUCLEI, 3, height, width)
                total = total + self._drawn(nuclei, px) * covers[:, None]
                windows = windows + covers
        mean = total / windows[:, None]
        return functional.pixel_shuffle(mean.flatten(1, 2), DOWNSAMPLE)

    def _drawn(self, nuclei: Tensor, px: Tensor) -> Tensor:
        """Each px's value by its nearest nucleus of a window: height / (1 + r² / 2) within 4 px, else 0.

        Parameters
        ----------
        nuclei : (B, maps · 2, 3, h, w) in [0, 1]: row and column across the window's 11 px, and height
        px : (2, 16, 1, 1) rows and columns of px, from the window's centre

        Returns
        -------
        (B, maps, 16, h, w)
        """
        row, column, top = nuclei[:, :, :, None].unbind(dim=2)  # (B, maps · 2, 1, h, w) each
        down, right = (REACH * (2 * place - 1) for place in (row, column))  # px from the window's centre
        squared = (px[0] - down) ** 2 + (px[1] - right) ** 2  # (B, maps · 2, 16, h, w)
        value = top / (1 + squared / 2) * (squared <= RADIUS**2)
        nearest = squared[:, 0::2] <= squared[:, 1::2]
        return torch.where(nearest, value[:, 0::2], value[:, 1::2])


def _pixels(down: int, right: int, *, like: Tensor) -> Tensor:
    """Rows and columns, (2, 16, 1, 1), of the 4×4 px that stand at one window, from the centre of another.

    Parameters
    ----------
    down, right : steps of 4 px from the one window to the other
    """
    side = torch.arange(DOWNSAMPLE, dtype=like.dtype, device=like.device) - CENTRE
    rows, columns = torch.meshgrid(side - DOWNSAMPLE * down, side - DOWNSAMPLE * right, indexing="ij")
    return torch.stack([rows.flatten(), columns.flatten()])[..., None, None]


class SCCNN(Network):
    """SC-CNN with two nuclei a window, and `maps` output maps."""

    stride: ClassVar[int] = DOWNSAMPLE

    def __init__(self, maps: int) -> None:
        super().__init__()
        first, second, third, fourth = CHANNELS
        self.windows = nn.Sequential(
            nn.ZeroPad2d(PADDING),
            nn.Conv2d(3, first, 4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(second, third, 5),
            nn.ReLU(),
            nn.Conv2d(third, fourth, 1),
            nn.ReLU(),
        )
        initialise(self)
        self.constrained = SpatiallyConstrained(fourth, maps)

    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 4 → (B, 512, H / 4, W / 4), a px for each window."""
        features: Tensor = self.windows(x)
        return features

    @property
    def head(self) -> nn.Module:
        """(B, 512, H / 4, W / 4) → (B, maps, H, W)."""
        return self.constrained

    def folded(self) -> SCCNN:
        """A copy in eval mode with the same maps; there is nothing to fold."""
        return with_fused_norms(self)
