"""The report's colours, told apart by their lightness too: neither colour blindness nor a grey print mixes them.

QuPath's own red and blue, which its files and the overview keep, are equally light (L* 56 and 52).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass

Rgb = tuple[int, int, int]
ByteArray = npt.NDArray[np.uint8]

# L* 78, 25 and 58. Amber shows on brown nuclei and navy on blue ones; of the marks tried on a slide these were seen best.
CLASS_RGB: Final[Mapping[CellClass, Rgb]] = {
    CellClass.POSITIVE: (255, 176, 0),
    CellClass.NEGATIVE: (16, 56, 120),
    CellClass.NUCLEUS: (0, 158, 115),
}
INK: Final[Rgb] = (29, 36, 48)
STEPS: Final = 20  # of a colour map: a reader can find each of them on its bar


def hexadecimal(colour: Rgb) -> str:
    """A colour as HTML has it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def colour_steps(colour_map: int) -> ByteArray:
    """The `STEPS` colours of one of OpenCV's maps, from its low end on: (STEPS, 3) uint8 RGB."""
    levels = np.linspace(0, 255, STEPS).round().astype(np.uint8)
    coloured = cv2.applyColorMap(levels[:, np.newaxis], colour_map)
    return np.ascontiguousarray(coloured[:, 0, ::-1])


VIRIDIS: Final = colour_steps(cv2.COLORMAP_VIRIDIS)
CIVIDIS: Final = colour_steps(cv2.COLORMAP_CIVIDIS)


def step_of(values: npt.NDArray[np.floating], upper: float) -> npt.NDArray[np.intp]:
    """The step of each value on a scale from 0 to `upper`; those above it are on the last."""
    return np.asarray(np.clip(values / upper * STEPS, 0, STEPS - 1), dtype=np.intp)
