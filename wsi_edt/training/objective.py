"""What a training minimises: the squared error of the maps, and how far they depend on what a tile's halo can't hold."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wsi_edt.networks.network import Network
from wsi_edt.training.config import Loss

CONSISTENT_HALO_PX = 64  # from here inwards a part's maps should not show that it is a part


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Of one batch, each a tensor of one number.

    Attributes
    ----------
    maps : the squared error, averaged over all px, whether they count or not
    inconsistency : the squared difference of maps of parts, 0 if its weight is 0
    total : what is minimised
    """

    maps: Tensor
    inconsistency: Tensor
    total: Tensor


def losses(network: Network, pixels: Tensor, maps: Tensor, weight: Tensor, *, settings: Loss) -> Losses:
    """The losses of a batch.

    Parameters
    ----------
    network : to train
    pixels : (B, 3, H, W) normalised
    maps : (B, maps, H, W) in [0, 1], what it should return
    weight : (B, maps, H, W), 1 where that is known, 0 elsewhere
    settings : of the configuration
    """
    predicted = network(pixels)
    if settings.cell_weight:
        weight = weight * (1 + settings.cell_weight * maps)
    error = (weight * (predicted - maps) ** 2).mean()
    if not settings.consistency:
        return Losses(error, error.new_zeros(()), error)
    difference = inconsistency(network, pixels, predicted)
    return Losses(error, difference, error + settings.consistency * difference)


def inconsistency(network: Network, pixels: Tensor, predicted: Tensor) -> Tensor:
    """The mean squared difference between maps of a crop's middle by itself and within the crop, over half the batch."""
    half = -(-len(pixels) // 2)
    stride = network.stride
    side = pixels.shape[-1] - 2 * stride * (pixels.shape[-1] // (5 * stride))
    first = (pixels.shape[-1] - side) // 2
    middle = slice(first, first + side)
    alone = network(pixels[:half, :, middle, middle])
    inner = slice(CONSISTENT_HALO_PX, side - CONSISTENT_HALO_PX)
    within = predicted[:half, :, middle, middle]
    difference: Tensor = ((alone - within)[:, :, inner, inner] ** 2).mean()
    return difference
