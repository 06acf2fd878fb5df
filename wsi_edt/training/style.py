"""Style mixing: crops take on the colours of other pictures, since every laboratory stains differently.

A picture's style is the mean and spread of each colour's optical density over its tissue. A crop's densities are moved
part of the way from its own style to another's (domain randomisation; with it a model finds more nuclei in stains that it
never saw).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsi_edt.slides.stain_style import LEAST_TISSUE, TISSUE_DENSITY
from wsi_edt.training.transfer import sent

EVERY = 4  # a picture's style is taken from every fourth px on each axis
# How styles themselves vary: standard deviations of the logarithms of their means and spreads.
MEAN_JITTER, SPREAD_JITTER = 0.2, 0.15
FACTORS = (0.4, 2.5)  # by which a spread may change
LEAST_SPREAD = 0.02

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Styles:
    """Styles of pictures, or the styles that crops move to.

    Attributes
    ----------
    mean, spread : (N, 3) of the natural optical densities of red, green and blue
    """

    mean: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, pictures: Sequence[npt.NDArray[np.uint8]]) -> Self:
        """The styles of pictures (H, W, 3) uint8 RGB; a picture without tissue has none."""
        means, spreads = [], []
        for picture in pictures:
            density = -np.log((picture[::EVERY, ::EVERY].reshape(-1, 3).astype(np.float64) + 1) / 256)
            tissue = density[density.sum(axis=1) > TISSUE_DENSITY]
            if len(tissue) > LEAST_TISSUE * len(density):
                means.append(tissue.mean(axis=0))
                spreads.append(tissue.std(axis=0))
        return cls(*(np.array(part, np.float32).reshape(-1, 3) for part in (means, spreads)))

    def __len__(self) -> int:
        return len(self.mean)

    def drawn(self, rng: np.random.Generator, count: int) -> Self:
        """That many styles at random, each a little different from that of its picture."""
        which = rng.integers(len(self), size=count)
        factors = (np.exp(rng.normal(0, sigma, (count, 3))) for sigma in (MEAN_JITTER, SPREAD_JITTER))
        return type(self)(
            *(
                (own[which] * factor).astype(np.float32)
                for own, factor in zip((self.mean, self.spread), factors, strict=True)
            )
        )

    def select(self, which: npt.NDArray[np.integer] | slice) -> Self:
        """Some of them."""
        return type(self)(self.mean[which], self.spread[which])


def restyled(density: Tensor, styles: Styles, share: FloatArray) -> Tensor:
    """Crops moved towards other styles.

    Parameters
    ----------
    density : (B, 3, N) float32, natural optical densities of the px
    styles : B of them
    share : (B,) how much of the way each crop is moved, in [0, 1]

    Returns
    -------
    (B, 3, N) float32; what was white may become a little darker, or negative, which is clipped later
    """
    tissue = (density.sum(dim=1, keepdim=True) > TISSUE_DENSITY).float()
    count = tissue.sum(dim=2, keepdim=True).clamp_(min=1)
    mean = (density * tissue).sum(dim=2, keepdim=True) / count  # (B, 3, 1)
    centred = density - mean
    spread = ((centred**2 * tissue).sum(dim=2, keepdim=True) / count).sqrt_().clamp_(min=LEAST_SPREAD)
    part = sent(share, density.device)[:, None, None]
    wanted_mean, wanted_spread = (
        sent(values, density.device)[:, :, None] for values in (styles.mean, styles.spread)
    )
    factor = (1 + part * (wanted_spread / spread - 1)).clamp_(*FACTORS)
    return torch.addcmul(mean + part * (wanted_mean - mean), centred, factor)
