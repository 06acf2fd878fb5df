"""What the tests of TIFF files share: the pixels that are written, and how they are compared with what is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wsi_edt.geometry import Window
from wsi_edt.slides import Slide

Pixels = npt.NDArray[np.uint8]

RNG = np.random.default_rng(12)
SCAN: Pixels = RNG.integers(0, 256, (330, 410, 3), dtype=np.uint8)
OTHER: Pixels = RNG.integers(0, 256, (300, 280, 3), dtype=np.uint8)
TILED: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64)}
PER_CM: dict[str, Any] = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}  # 0.25 µm/px
APERIO = "Aperio Image Library v10.0\r\n410x330 (64x64) JPEG/RGB Q=70|AppMag = 40|MPP = 0.25"


def ome(mpp: float = 0.25, axes: str = "YXS", **more: object) -> dict[str, object]:
    return {"axes": axes, "PhysicalSizeX": mpp, "PhysicalSizeY": mpp, **more}


def whole(slide: Slide, level: int = 0) -> Pixels:
    return slide.read_level(level, Window(0, 0, *slide.level_dimensions[level]))


def assert_holds(slide: Slide, expected: Pixels, level: int = 0) -> None:
    """The level as a whole, and windows that cross tiles and edges."""
    assert np.array_equal(whole(slide, level), expected)
    height, width = expected.shape[:2]
    for x, y, side in (
        (0, 0, 1),
        (63, 63, 2),
        (50, 10, 100),
        (width - 70, height - 70, 70),
        (width - 1, 0, 1),
    ):
        window = Window(x, y, min(side, width - x), min(side, height - y))
        assert np.array_equal(slide.read_level(level, window), expected[y : window.bottom, x : window.right])
