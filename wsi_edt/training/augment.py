"""Augmentation of crops: stain, hue and contrast jitter in optical density, blur, sharpening, JPEG, flips and turns."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from skimage.color import hed_from_rgb, rgb_from_hed

from wsi_edt.training.config import Augmentation
from wsi_edt.training.targets import WindowTargets

ImageArray = npt.NDArray[np.uint8]

STAIN_OFFSET = 0.15  # of the stains' jitter: what is added to each stain, in optical density
BLUR_SIGMA_PX = (0.3, 1.2)
SHARPEN_SIGMA_PX = (0.7, 1.5)  # of the unsharp mask
SHARPEN_AMOUNT = (0.2, 1.0)
JPEG_QUALITY = (40, 90)


def augment(
    image: ImageArray, targets: WindowTargets, rng: np.random.Generator, *, settings: Augmentation
) -> tuple[ImageArray, WindowTargets]:
    """A crop (H, W, 3), H = W, and its targets, changed as another slide, scanner or mounting might show them.

    The scale isn't changed here: crops are read at different µm/px (`WindowSampler`).
    """
    if settings.stain or settings.hue or settings.gamma:
        image = _jitter_colours(image, rng, settings=settings)
    focus = rng.random()
    if focus < settings.blur:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(*BLUR_SIGMA_PX))).astype(np.uint8)
    elif focus < settings.blur + settings.sharpen:
        image = _sharpened(image, rng)
    if rng.random() < settings.jpeg:
        image = _through_jpeg(image, quality=int(rng.integers(*JPEG_QUALITY)))
    if rng.random() < settings.turns:
        return _turn(image, targets, quarter_turns=int(rng.integers(4)), flip=bool(rng.integers(2)))
    return image, targets


def _jitter_colours(image: ImageArray, rng: np.random.Generator, *, settings: Augmentation) -> ImageArray:
    """Haematoxylin, eosin and DAB stronger or weaker, of another hue, with another contrast, all in optical density.

    Stains and hues are one matrix (Ruifrok & Johnston 2001), as scikit-image separates stains.
    """
    factors = 1 + rng.uniform(-settings.stain, settings.stain, 3)
    offsets = rng.uniform(-settings.stain, settings.stain, 3) * STAIN_OFFSET
    hues = np.eye(3) + rng.normal(0, settings.hue, (3, 3))
    contrast = np.float32(np.exp(rng.uniform(-settings.gamma, settings.gamma)))
    mixed = (hed_from_rgb * factors @ rgb_from_hed @ hues).astype(np.float32)
    density = -np.log((image.astype(np.float32) + 1) / 256)  # 0 (white) and more
    changed = density**contrast @ mixed + (offsets @ rgb_from_hed).astype(np.float32)
    # 256 e^-density - 1 undoes the logarithm; + 0.5 rounds.
    jittered: ImageArray = np.clip(256 * np.exp(-changed) - 0.5, 0, 255).astype(np.uint8)
    return jittered


def _sharpened(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """With an unsharp mask, as scanners do."""
    smooth = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(*SHARPEN_SIGMA_PX)))
    amount = float(rng.uniform(*SHARPEN_AMOUNT))
    return cv2.addWeighted(image, 1 + amount, smooth, -amount, 0).astype(np.uint8)


def _through_jpeg(image: ImageArray, *, quality: int) -> ImageArray:
    encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded[:, :, ::-1].astype(np.uint8)


def _turn(
    image: ImageArray, targets: WindowTargets, *, quarter_turns: int, flip: bool
) -> tuple[ImageArray, WindowTargets]:
    image = np.rot90(image, quarter_turns, axes=(0, 1))
    maps = np.rot90(targets.maps, quarter_turns, axes=(1, 2))
    weight = np.rot90(targets.weight, quarter_turns, axes=(1, 2))
    if flip:
        image, maps, weight = image[:, ::-1], maps[:, :, ::-1], weight[:, :, ::-1]
    return np.ascontiguousarray(image), WindowTargets(
        np.ascontiguousarray(maps), np.ascontiguousarray(weight)
    )
