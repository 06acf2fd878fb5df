"""A network on its device, ready to run: pixels in, maps out."""

from __future__ import annotations

import torch
from torch import Tensor

from wsi_edt.detection.compute import Precision
from wsi_edt.networks import Normalisation
from wsi_edt.networks.network import Network, Normalise


class PreparedNetwork:
    """A network with its normalisation, all of it on the device before it runs: later only pixels are copied there.

    Parameters
    ----------
    network : folded; moved to the device, channels last, its body in `precision` and its head in float32
    normalisation : of its input
    device : "cpu" or "cuda"
    precision : of its body
    """

    def __init__(
        self, network: Network, normalisation: Normalisation, *, device: str, precision: Precision
    ) -> None:
        self._normalise = Normalise(normalisation).to(device)
        self._network: Network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if precision == "bf16":
            self._network.bfloat16()
            self._network.head.float()
        self._body = torch.bfloat16 if precision == "bf16" else torch.float32

    def __call__(self, pixels: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 RGB, H and W multiples of the stride → (B, C, H, W) float32 maps, both on the device."""
        maps: Tensor = self._network(self._normalise(pixels).to(self._body))
        return maps.float()
