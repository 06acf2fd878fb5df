"""Made tissue in drawn shapes on glass."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt


def drawn_tissue(
    shape: npt.NDArray[np.bool_], *, strength: float = 1.0, glass: int = 243
) -> npt.NDArray[np.uint8]:
    """Uneven stroma with blue and brown nuclei in a shape (H, W), on noisy glass: (H, W, 3)."""
    rng = np.random.default_rng(0)
    rows, columns = shape.shape
    coarse = rng.normal(0.12, 0.05, (rows // 30 + 2, columns // 30 + 2)).astype(np.float32)
    stroma = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC).clip(0.02)
    density = stroma[..., np.newaxis] * np.array((0.65, 0.70, 0.29))
    for stain, count in (((0.65, 0.70, 0.29), shape.size // 300), ((0.27, 0.57, 0.78), shape.size // 900)):
        nuclei = np.zeros(shape.shape, np.uint8)
        for x, y in zip(rng.integers(0, columns, count), rng.integers(0, rows, count), strict=True):
            cv2.circle(nuclei, (int(x), int(y)), 4, 1, -1)
        density += 0.6 * nuclei[..., np.newaxis] * np.array(stain)
    density *= strength * shape[..., np.newaxis]
    picture = glass * 10**-density + rng.normal(0, 1, (rows, columns, 3))
    return np.asarray(np.clip(picture.round(), 0, 255), np.uint8)
