"""Augmentation of whole batches as tensor operations, on any device: stain, hue, contrast, blur, sharpening, JPEG.

Everything random is drawn beforehand (`draw`), so that a step's crops are the same on every device but for rounding.
Flips, turns and scale belong to the crops (`sampling`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from skimage.color import hed_from_rgb, rgb_from_hed
from torch import Tensor
from torch.nn import functional

from wsi_edt.training.config import Augmentation
from wsi_edt.training.jpeg import through_jpeg
from wsi_edt.training.style import Styles, restyled
from wsi_edt.training.transfer import sent

STAIN_OFFSET = 0.15  # of the stains' jitter: what is added to each stain, in optical density
BLUR_SIGMA_PX = (0.3, 1.2)
SHARPEN_SIGMA_PX = (0.7, 1.5)  # of the unsharp mask
SHARPEN_AMOUNT = (0.2, 1.0)
JPEG_QUALITY = (40, 90)
KERNEL_REACH = 3.0  # σ, where a Gaussian is cut, as in OpenCV
LEAST_DENSITY = 1e-6  # of a white px: 0 has no logarithm
BAND_PX = 32  # of the Gaussian's matrix; crops' sides are multiples of it

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """What happens to each of B crops.

    Attributes
    ----------
    mixing : (B, 3, 3), from optical densities of red, green and blue to new ones; None: colours stay
    offsets : (B, 3), added afterwards
    contrast : (B,) power to which densities are raised before
    sigma_px : (B,) of a Gaussian
    amount : (B,) how many times the difference from the Gaussian-filtered crop is added: -1 blurs, 0 does nothing, more
        sharpens
    quality : (B,) of JPEG, 0 for none
    style_share : (B,) how far colours move towards `styles`, 0 if they don't
    styles : B of them; None: no crop moves
    """

    mixing: FloatArray | None
    offsets: FloatArray
    contrast: FloatArray
    sigma_px: FloatArray
    amount: FloatArray
    quality: FloatArray
    style_share: FloatArray
    styles: Styles | None

    def part(self, own: slice) -> Self:
        """The draws of some of the crops."""
        return type(self)(
            None if self.mixing is None else self.mixing[own],
            self.offsets[own],
            self.contrast[own],
            self.sigma_px[own],
            self.amount[own],
            self.quality[own],
            self.style_share[own],
            None if self.styles is None else self.styles.select(own),
        )


def draw(
    rng: np.random.Generator, count: int, settings: Augmentation, *, styles: Styles | None = None
) -> Draws:
    """What happens to that many crops; `styles` are those that crops may take on.

    Haematoxylin, eosin and DAB become stronger or weaker, of another hue, with another contrast, all in optical density.
    Stains and hues are one matrix (Ruifrok & Johnston 2001), as scikit-image separates stains.
    """
    factors = 1 + rng.uniform(-settings.stain, settings.stain, (count, 1, 3))
    offsets = rng.uniform(-settings.stain, settings.stain, (count, 3)) * STAIN_OFFSET
    hues = np.eye(3) + rng.normal(0, settings.hue, (count, 3, 3))
    contrast = np.exp(rng.uniform(-settings.gamma, settings.gamma, count))
    changes_colours = settings.stain or settings.hue or settings.gamma
    mixing = hed_from_rgb * factors @ rgb_from_hed @ hues
    focus, blurred, sharpened = rng.random(count), *rng.random((2, count))
    blurs = focus < settings.blur
    sharpens = ~blurs & (focus < settings.blur + settings.sharpen)
    amount = np.where(blurs, -1.0, np.where(sharpens, _between(SHARPEN_AMOUNT, rng.random(count)), 0.0))
    sigma = np.where(blurs, _between(BLUR_SIGMA_PX, blurred), _between(SHARPEN_SIGMA_PX, sharpened))
    compressed = rng.random(count) < settings.jpeg
    quality = np.where(compressed, rng.integers(*JPEG_QUALITY, count), 0)
    share = np.zeros(count)
    if settings.style and styles is not None:
        share = np.where(rng.random(count) < settings.style, rng.random(count), 0)
    return Draws(
        mixing=mixing.astype(np.float32) if changes_colours or share.any() else None,
        offsets=(offsets @ rgb_from_hed).astype(np.float32),
        contrast=contrast.astype(np.float32),
        sigma_px=sigma.astype(np.float32),
        amount=amount.astype(np.float32),
        quality=quality.astype(np.float32),
        style_share=share.astype(np.float32),
        styles=None if styles is None else styles.drawn(rng, count),
    )


def _between(ends: tuple[float, float], share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return ends[0] + (ends[1] - ends[0]) * share


def augment(images: Tensor, draws: Draws) -> Tensor:
    """Crops as another slide, scanner or mounting might show them.

    Parameters
    ----------
    images : (B, 3, H, W) float32 RGB in [0, 255], which may be changed in place
    draws : what happens to each

    Returns
    -------
    (B, 3, H, W) float32 RGB in [0, 255]
    """
    if draws.mixing is not None:
        images = _recoloured(images, draws.mixing, draws)
    filtered = np.flatnonzero(draws.amount)
    if len(filtered):
        which = sent(filtered, images.device)
        images[which] = _filtered(
            images[which], draws.sigma_px[filtered], sent(draws.amount[filtered], images.device)
        )
    compressed = np.flatnonzero(draws.quality)
    if len(compressed):
        which = sent(compressed, images.device)
        images[which] = through_jpeg(images[which], sent(draws.quality[compressed], images.device))
    return images


def _recoloured(images: Tensor, mixing: FloatArray, draws: Draws) -> Tensor:
    batch, channels, height, width = images.shape
    density = images.add_(1).log_().neg_().add_(math.log(256)).clamp_(min=LEAST_DENSITY)  # 0 (white) and more
    raised = density.log_().mul_(sent(draws.contrast, images.device)[:, None, None, None]).exp_()
    mixed = torch.baddbmm(
        sent(draws.offsets, images.device)[:, :, None],
        sent(np.ascontiguousarray(mixing.transpose(0, 2, 1)), images.device),
        raised.view(batch, channels, -1),
    )
    moved = np.flatnonzero(draws.style_share)
    if len(moved) and draws.styles is not None:
        which = sent(moved, images.device)
        mixed[which] = restyled(mixed[which], draws.styles.select(moved), draws.style_share[moved])
    # 256 e^-density - 1 undoes the logarithm.
    return mixed.neg_().exp_().mul_(256).sub_(1).clamp_(0, 255).view(batch, channels, height, width)


def _filtered(images: Tensor, sigma_px: FloatArray, amount: Tensor) -> Tensor:
    """Each image plus `amount` times its difference from its own Gaussian: blurred or, as scanners do, sharpened.

    A line's Gaussian is a band of a matrix; bands of 32 px, as products of small matrices, take half of a grouped
    convolution's time on a CPU.
    """
    count, channels, height = images.shape[:3]
    reach = math.ceil(KERNEL_REACH * float(sigma_px.max()))
    band = sent(_band(sigma_px, reach), images.device)  # (B, 32, 32 + 2 · reach)
    padded = functional.pad(images, (reach, reach, reach, reach), mode="reflect")
    px = BAND_PX + 2 * reach
    windows = padded.unfold(2, px, BAND_PX).transpose(3, 4)  # (B, 3, bands, px, W + 2 · reach)
    smooth = torch.matmul(band[:, None, None], windows).reshape(count, channels, height, -1)
    windows = smooth.unfold(3, px, BAND_PX)  # (B, 3, H, bands, px)
    smooth = torch.matmul(windows.reshape(count, -1, px), band.transpose(1, 2))
    difference = images - smooth.view_as(images)
    return images.addcmul_(difference, amount[:, None, None, None]).clamp_(0, 255)


def _band(sigma_px: FloatArray, reach: int) -> FloatArray:
    """Gaussians along a diagonal: (B, 32, 32 + 2 · reach)."""
    distance = np.arange(BAND_PX + 2 * reach) - np.arange(BAND_PX)[:, None] - reach
    lines = np.exp(-0.5 * (distance / sigma_px[:, None, None]) ** 2) * (np.abs(distance) <= reach)
    band: FloatArray = (lines / lines.sum(axis=2, keepdims=True)).astype(np.float32)
    return band
