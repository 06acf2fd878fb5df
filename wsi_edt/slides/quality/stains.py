"""Densities of haematoxylin and DAB in a field."""

from __future__ import annotations

import numpy as np

from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.tissue import FloatArray

# Optical densities of red, green and blue in each stain, as Ruifrok and Johnston (2001) measured them; unit vectors.
HAEMATOXYLIN = (0.650, 0.704, 0.286)
DAB = (0.268, 0.570, 0.776)
_UNMIXING = np.linalg.pinv(np.array([HAEMATOXYLIN, DAB]))


def stain_densities(field: RgbArray, light: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The least-squares densities of haematoxylin and of DAB, (H, W) each, of a field (H, W, 3) uint8.

    Below 0 where the colour is beyond what the two stains can mix.
    """
    density = -np.log10(np.maximum(field, 1) / light)
    stains = (density @ _UNMIXING).astype(np.float32)
    return stains[..., 0], stains[..., 1]
