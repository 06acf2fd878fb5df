"""JPEG's losses on a batch of images as tensor operations, on any device: ITU-T T.81 with the quality scale of libjpeg.

Colours are halved (4:2:0), blocks of 8×8 transformed, quantised and transformed back; nothing is encoded. Halved colours
are doubled again by repeating px, not by libjpeg's interpolation.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsi_edt.training.transfer import sent

FloatArray = npt.NDArray[np.float32]

BLOCK_PX = 8

# T.81's example tables (Annex K.1), which libjpeg scales.
_LUMINANCE = """16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56  14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92  49 64 78 87 103 121 120 101  72 92 95 98 112 100 103 99"""
_CHROMINANCE = """17 18 24 47 99 99 99 99  18 21 26 66 99 99 99 99  24 26 56 99 99 99 99 99  47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99"""
# JFIF's Y, Cb and Cr of red, green and blue; Cb and Cr lie around 128.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YCC)


def through_jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """The images as they come back from JPEG files, except for rounding: (B, 3, H, W) float32 RGB in [0, 255].

    Parameters
    ----------
    images : (B, 3, H, W) float32 RGB in [0, 255], H and W multiples of 16
    quality : (B,) float32 from 1 to 100, on libjpeg's and OpenCV's scale
    """
    batch, channels = images.shape[:2]
    to_ycc, to_rgb = (sent(matrix, images.device) for matrix in (_TO_YCC, _TO_RGB))
    # Y in [0, 255], Cb and Cr in ±128
    ycc = torch.matmul(to_ycc, images.view(batch, channels, -1)).view_as(images)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)  # of the tables
    cosines = _cosines()
    full = sent(cosines, images.device)
    # Taking the mean of two px each, and transforming then, is one matrix: (8 frequencies, 16 px).
    halving = sent(np.repeat(cosines, 2, axis=1) / 2, images.device)
    ycc[:, :1] -= 128
    ycc[:, :1] = _quantised(ycc[:, :1], _table(_LUMINANCE, scale), full) + 128
    ycc[:, 1:] = _quantised(ycc[:, 1:], _table(_CHROMINANCE, scale), halving)
    rgb = torch.matmul(to_rgb, ycc.view(batch, channels, -1))
    return rgb.clamp_(0, 255).view_as(images)


def _table(values: str, scale: Tensor) -> Tensor:
    """The steps of the 8 × 8 frequencies: (B, 8, 8)."""
    table = sent(np.array(values.split(), np.float32), scale.device)
    return (table * scale[:, None]).round().clamp(1, 255).view(-1, BLOCK_PX, BLOCK_PX)


def _quantised(planes: Tensor, steps: Tensor, transform: Tensor) -> Tensor:
    """(B, C, H, W) with each block's frequencies rounded to whole steps; `transform` is (8 frequencies, px of a block)."""
    batch, channels, height, width = planes.shape
    frequencies, px = transform.shape
    back = transform.T * (px / frequencies)  # a halved colour stands for two px on each axis
    rows = torch.matmul(transform, planes.reshape(batch, channels, height // px, px, width))
    both = rows.reshape(batch, -1, frequencies, width // px, px) @ transform.T
    steps = steps[:, None, :, None, :]  # as `both`: (B, C · H / px, 8, W / px, 8)
    both.div_(steps).round_().mul_(steps)
    rows = (both @ back.T).view(batch, channels, height // px, frequencies, width)
    return torch.matmul(back, rows).view_as(planes)


def _cosines() -> FloatArray:
    """The orthonormal discrete cosine transform (DCT-II) of 8 px, (frequency, px)."""
    frequency, px = np.arange(BLOCK_PX)[:, None], np.arange(BLOCK_PX)
    matrix = np.cos((2 * px + 1) * frequency * np.pi / (2 * BLOCK_PX)) * np.sqrt(2 / BLOCK_PX)
    matrix[0] /= np.sqrt(2)
    cosines: FloatArray = matrix.astype(np.float32)
    return cosines
