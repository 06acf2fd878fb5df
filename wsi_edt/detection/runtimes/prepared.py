"""A network on its device, ready to run: pixels in, maps out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wsi_edt.detection.compute import Precision
from wsi_edt.networks import HRNet, Normalisation


class PreparedNetwork:
    """A network with its normalisation, whose every tensor is on the device before it runs: nothing else is copied there.

    Parameters
    ----------
    network : folded; moved to the device, channels last, its body in `precision` and its last layer in float32
    normalisation : of its input
    device : "cpu" or "cuda"
    precision : of its body
    """

    def __init__(
        self, network: HRNet, normalisation: Normalisation, *, device: str, precision: Precision
    ) -> None:
        moved: HRNet = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if precision == "bf16":
            moved.bfloat16()
            moved.to_maps.float()
        self._network: nn.Module = moved
        self._body = next(moved.parameters()).dtype
        self._mean = torch.tensor(normalisation.mean, device=device) * 255
        self._std = torch.tensor(normalisation.std, device=device) * 255

    def __call__(self, pixels: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 RGB, H and W multiples of 32 → (B, C, H, W) float32 maps, both on the device."""
        normal = ((pixels.float() - self._mean) / self._std).permute(0, 3, 1, 2)
        maps: Tensor = self._network(normal.to(self._body))
        return maps.float()
