"""Batch norms that take a share of their statistics from the picture at hand: what adapting to a slide could gain."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from wsi_edt.detection.runtimes.runtime import FloatMaps, Images
from wsi_edt.detection.whole_image import NetworkMaps
from wsi_edt.networks import Normalisation
from wsi_edt.networks.network import Network, Normalise

CROP_PX, CROPS = 320, 24  # a side, and how many of a picture are looked at, at most


class AdaptedMaps:
    """Makes the maps of whole pictures, each by a copy of the network that is adapted to it, in float32.

    Parameters
    ----------
    network : with its batch norms; it stays as it is
    normalisation : of its input
    share : of a picture's own statistics, from 0 to 1; the rest are the network's
    """

    def __init__(self, network: Network, normalisation: Normalisation, share: float) -> None:
        self.network, self.normalisation, self.share = network, normalisation, share

    def maps(self, images: Images) -> FloatMaps:
        """(1, H, W, 3) uint8 RGB → (1, C, H, W) float32."""
        pixels = Normalise(self.normalisation)(torch.from_numpy(crops_of(images[0])))
        return NetworkMaps(adapted(self.network, pixels, self.share), self.normalisation).maps(images)


def crops_of(picture: Images, *, side: int = CROP_PX, most: int = CROPS) -> Images:
    """At most so many crops (N, side, side, 3) of (H, W, 3) px, evenly spaced and never more than half over one another."""
    side = min(side, *(length - length % 32 for length in picture.shape[:2]))
    starts = [
        np.linspace(0, length - side, 1 + 2 * (length - side) // side).round().astype(int)
        for length in picture.shape[:2]
    ]
    places = [(top, left) for top in starts[0] for left in starts[1]]
    chosen = np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int)
    return np.stack(
        [picture[top : top + side, left : left + side] for top, left in map(places.__getitem__, chosen)]
    )


@torch.no_grad()
def adapted(network: Network, pixels: Tensor, share: float) -> Network:
    """A copy whose batch norms mix their means and variances with those that the pixels (N, 3, H, W) have there."""
    made = copy.deepcopy(network).eval()
    norms = [one for one in made.modules() if isinstance(one, nn.BatchNorm2d)]
    stored = [(statistics(one)[0].clone(), statistics(one)[1].clone()) for one in norms]
    for one in norms:
        one.train()
        one.momentum = 1.0  # the running statistics become those of the batch
    made(pixels)
    for one, (mean, variance) in zip(norms, stored, strict=True):
        own_mean, own_variance = statistics(one)
        own_mean.lerp_(mean, 1 - share)
        own_variance.lerp_(variance, 1 - share)
        one.eval()
    return made


def statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Its running mean and variance."""
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, norm.running_var
