"""From whatever a file holds to 8-bit RGB on white."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.protocol import RgbArray

WHITE = 255


def as_rgb(pixels: npt.NDArray[np.generic], path: SlidePath) -> RgbArray:
    """Pixels (H, W, 3) or (H, W, 4) uint8 as (H, W, 3), alpha composited on white.

    Raises
    ------
    SlideError
        For other channels or types: 16-bit, greyscale and many-channel images aren't brightfield RGB.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        shape = "×".join(str(side) for side in pixels.shape)
        raise other_pixels(f"{shape} {pixels.dtype} pixels", path)
    values: RgbArray = np.ascontiguousarray(pixels, dtype=np.uint8)
    if values.shape[2] == 3:
        return values
    return on_white(values)


def other_pixels(kind: str, path: SlidePath) -> SlideError:
    """The error for a file of other pixels than 8-bit RGB."""
    return SlideError(f"holds {kind}; only 8-bit RGB is read", where=path, remedy="export it as 8-bit RGB")


def on_white(rgba: RgbArray) -> RgbArray:
    """Straight-alpha RGBA (H, W, 4) composited on white: (H, W, 3)."""
    rgb: RgbArray = np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), dtype=np.uint8)
    alpha = rgba[..., 3]
    if alpha.min() == 255:
        return rgb
    opacity = alpha[..., np.newaxis].astype(np.float32) / 255
    return np.round(rgb * opacity + WHITE * (1 - opacity)).astype(np.uint8)


def premultiplied_on_white(rgba: RgbArray) -> RgbArray:
    """RGBA (H, W, 4), its colours already multiplied by alpha, composited on white: (H, W, 3)."""
    glass = WHITE - rgba[..., 3:].astype(np.uint16)
    composited: RgbArray = np.minimum(rgba[..., :3] + glass, WHITE).astype(np.uint8)
    return composited


def ycbcr_to_rgb(pixels: RgbArray) -> RgbArray:
    """Full-range YCbCr of ITU-R BT.601, as JPEG and TIFF have it by default, (H, W, 3), as RGB."""
    return np.asarray(cv2.cvtColor(pixels[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB), dtype=np.uint8)


def inside(window: Window, size: tuple[int, int]) -> bool:
    """Whether a window lies wholly in a level of that (width, height)."""
    return window.x >= 0 and window.y >= 0 and window.right <= size[0] and window.bottom <= size[1]


def intersection(window: Window, size: tuple[int, int]) -> Window | None:
    """The part of a window that lies in a level of that (width, height), or None if there is none."""
    left, top = max(window.x, 0), max(window.y, 0)
    right, bottom = min(window.right, size[0]), min(window.bottom, size[1])
    if left >= right or top >= bottom:
        return None
    return Window(left, top, right - left, bottom - top)
