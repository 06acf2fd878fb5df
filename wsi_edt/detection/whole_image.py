"""A network's look at a whole image: the one way from its pixels to maps that validation, evaluation and pictures share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from wsi_edt.cells import Cells
from wsi_edt.detection.runtimes.prepared import PreparedNetwork
from wsi_edt.detection.runtimes.runtime import FloatMaps, Images, MapRunner
from wsi_edt.geometry import Window, pixel_centers
from wsi_edt.maps import Peaks
from wsi_edt.networks import Normalisation
from wsi_edt.networks.network import Network
from wsi_edt.slides import ImageSlide, read_window


class NetworkMaps:
    """A network in training as a `MapRunner`: a folded copy on the network's own device, in float32.

    Parameters
    ----------
    network : as it is now; what is learned later doesn't reach the copy
    normalisation : of its input
    """

    def __init__(self, network: Network, normalisation: Normalisation) -> None:
        self._device = next(network.parameters()).device
        self._network = PreparedNetwork(
            network.folded(), normalisation, device=str(self._device), precision="fp32"
        )

    @torch.inference_mode()
    def maps(self, images: Images) -> FloatMaps:
        """(B, H, W, 3) uint8 RGB, H and W multiples of the network's stride → (B, C, H, W) float32 maps."""
        found: FloatMaps = self._network(torch.from_numpy(images).to(self._device)).cpu().numpy()
        return found


def image_maps(
    runner: MapRunner, pixels: Images, *, image_mpp: float, model_mpp: float, stride: int
) -> FloatMaps:
    """The maps of a whole image, brought to the model's µm/px and seen in one piece: (C, h, w) float32, model px.

    Parameters
    ----------
    runner : makes the maps
    pixels : (H, W, 3) uint8 RGB, px of `image_mpp` µm
    image_mpp : µm/px of the image
    model_mpp : µm/px that the model sees
    stride : of the network; the image is padded with white to a multiple of it, and the maps are cut back
    """
    height, width = (round(side * image_mpp / model_mpp) for side in pixels.shape[:2])
    window = Window(0, 0, -(-width // stride) * stride, -(-height // stride) * stride)
    slide = ImageSlide(Path("image"), pixels, image_mpp)
    maps = runner.maps(read_window(slide, window, wanted_mpp=model_mpp)[None])[0]
    return np.ascontiguousarray(maps[:, :height, :width])


def cells_of(peaks: Peaks) -> Cells:
    """Peaks as cells at their pixels' centres."""
    return Cells(pixel_centers(peaks.x), pixel_centers(peaks.y), peaks.score, peaks.class_id)
