"""Masks grown and shrunk by whole px, in squares."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]


def dilated(mask: BoolArray, radius: int) -> BoolArray:
    """The mask (H, W) with what lies within `radius` px of it."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _square(radius)), dtype=np.bool_)


def eroded(mask: BoolArray, margin: int) -> BoolArray:
    """The mask (H, W) without what lies within `margin` px of its edge; the picture's own edge is none."""
    return np.asarray(cv2.erode(mask.astype(np.uint8), _square(margin)), dtype=np.bool_)


def _square(radius: int) -> npt.NDArray[np.uint8]:
    return np.ones((2 * radius + 1, 2 * radius + 1), dtype=np.uint8)
