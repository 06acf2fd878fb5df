"""Augmentation of crops: the eight flips and right-angle rotations, stain jitter in HED space, blur, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from skimage.color import hed_from_rgb, rgb_from_hed

from wsi_edt.training.targets import WindowTargets

ImageArray = npt.NDArray[np.uint8]

STAIN_FACTOR = 0.15  # each stain's strength is drawn from 1 ± this: more would turn pale brown into blue
STAIN_OFFSET = 0.02  # in optical density
BLUR_SHARE, BLUR_SIGMA = 0.2, 1.2
JPEG_SHARE, JPEG_QUALITY = 0.2, (40, 90)


def augment(
    image: ImageArray, targets: WindowTargets, rng: np.random.Generator
) -> tuple[ImageArray, WindowTargets]:
    """A crop (H, W, 3), H = W, and its targets, changed as another slide, scanner or mounting might show them."""
    image = _jitter_stains(image, rng)
    if rng.random() < BLUR_SHARE:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, BLUR_SIGMA))).astype(np.uint8)
    if rng.random() < JPEG_SHARE:
        quality = int(rng.integers(*JPEG_QUALITY))
        encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        assert decoded is not None
        image = decoded[:, :, ::-1].astype(np.uint8)
    return _turn(image, targets, quarter_turns=int(rng.integers(4)), flip=bool(rng.integers(2)))


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


def _jitter_stains(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Haematoxylin, eosin and DAB made stronger or weaker: one affine map of optical density (Ruifrok & Johnston 2001)."""
    factors = 1 + rng.uniform(-STAIN_FACTOR, STAIN_FACTOR, 3)
    offsets = rng.uniform(-STAIN_OFFSET, STAIN_OFFSET, 3)
    turn = (hed_from_rgb * factors @ rgb_from_hed).astype(np.float32)
    density = -np.log((image.astype(np.float32) + 1) / 256)
    changed = density @ turn + (offsets @ rgb_from_hed).astype(np.float32)
    # 256 e^-density - 1 undoes the line above; + 0.5 rounds.
    jittered: ImageArray = np.clip(256 * np.exp(-changed) - 0.5, 0, 255).astype(np.uint8)
    return jittered
