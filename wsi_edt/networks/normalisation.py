"""From 8-bit pixels to what a network takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation of each channel (red, green, blue), for pixels scaled to [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def normalised(images: Tensor, normalisation: Normalisation) -> Tensor:
    """(B, H, W, 3) uint8 RGB → (B, 3, H, W) float32, channels last in memory."""
    mean = torch.tensor(normalisation.mean, device=images.device) * 255
    std = torch.tensor(normalisation.std, device=images.device) * 255
    return ((images.float() - mean) / std).permute(0, 3, 1, 2)
