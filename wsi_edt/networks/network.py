"""What every network is to the rest of the program, and how pixels reach it."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from wsi_edt.networks.normalisation import Normalisation


class Network(nn.Module):
    """A body, which may run in bfloat16, and a head, which stays in float32.

    Rounding the maps to bfloat16 makes plateaus, and plateaus make cells.

    Attributes
    ----------
    stride : px of the image that one px of the coarsest features spans; images' sides are multiples of it
    """

    stride: ClassVar[int]

    @abstractmethod
    def body(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB, H and W multiples of the stride → the features that the head takes."""

    @property
    @abstractmethod
    def head(self) -> nn.Module:
        """The last layer: features → (B, maps, H, W)."""

    @abstractmethod
    def folded(self) -> Self:
        """A copy in eval mode with the same maps, to rounding, and fewer and plain layers; it can't be trained."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB, H and W multiples of the stride → (B, maps, H, W) float32."""
        features, head = self.body(x), self.head
        with torch.autocast(features.device.type, enabled=False):
            maps: Tensor = head(features.to(next(head.parameters()).dtype))
        return maps


class Normalise(nn.Module):
    """From 8-bit pixels to what a network takes."""

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(normalisation.mean) * 255)
        self.register_buffer("std", torch.tensor(normalisation.std) * 255)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 RGB → (B, 3, H, W) float32, channels last in memory."""
        return ((pixels.float() - self.mean) / self.std).permute(0, 3, 1, 2)
