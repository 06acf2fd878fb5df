"""Zeiss CZI that openslide can't read (JPEG XR, dimensions of one entry), through the optional package pylibCZIrw."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self
from xml.etree import ElementTree

import numpy as np

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import read_failure
from wsi_edt.slides.metadata import stated_mpp, stated_number
from wsi_edt.slides.pixels import WHITE, inside, other_pixels
from wsi_edt.slides.protocol import RgbArray

_RGB = "Bgr24"
_DIMENSIONS = {"C": "channels", "Z": "focal planes", "T": "times"}
_SMALLEST_LEVEL_PX = 1024
_UM_PER_M = 1e6


class CziSlide:
    """A brightfield CZI: all of its scenes on one canvas, as they lie on the glass, white between them.

    The file gives any zoom from its own pyramid; levels are offered at every half.
    """

    reader = "pylibCZIrw"

    def __init__(self, path: Path, fallback_mpp: float | None) -> None:
        """Open the file; `fallback_mpp` is used if it states none.

        Raises
        ------
        ImportError
            If pylibCZIrw isn't installed.
        Exception
            Whatever pylibCZIrw raises if it can't open it.
        SlideError
            If it holds several channels, focal planes or times, or other pixels than 8-bit RGB.
        """
        from pylibCZIrw import czi

        self._files = ExitStack()
        self._handle = self._files.enter_context(czi.open_czi(str(path)))
        try:
            for dimension, name in _DIMENSIONS.items():
                first, end = self._handle.total_bounding_box.get(dimension, (0, 1))
                if end - first > 1:
                    what = f"holds {end - first} {name}; one is read"
                    raise SlideError(what, where=path, remedy="export one of them from ZEN")
            kinds = set(self._handle.pixel_types.values())
            if kinds != {_RGB}:
                raise other_pixels(f"{' and '.join(sorted(map(str, kinds)))} pixels", path)
            canvas = self._handle.total_bounding_rectangle
            self._left, self._top = int(canvas.x), int(canvas.y)
            self.path = path
            self.dimensions = (int(canvas.w), int(canvas.h))
            halvings = max((min(self.dimensions) // _SMALLEST_LEVEL_PX).bit_length(), 1)
            self.level_downsamples: tuple[float, ...] = tuple(2.0**level for level in range(halvings))
            self.level_dimensions: tuple[tuple[int, int], ...] = tuple(
                (self.dimensions[0] >> level, self.dimensions[1] >> level) for level in range(halvings)
            )
            metadata = ElementTree.fromstring(self._handle.raw_metadata)
            own_mpp = stated_mpp(path, _um_per_px(metadata, "X"), _um_per_px(metadata, "Y"))
            self.mpp = own_mpp or fallback_mpp
            self.mpp_stated = own_mpp is not None
            self.bounds = Window(0, 0, *self.dimensions)
            self.vendor: str | None = "zeiss"
            self.objective_power = stated_number(metadata.findtext(".//Objective/NominalMagnification"))
            self.properties: Mapping[str, str] = MappingProxyType({})
        except BaseException:
            self._files.close()
            raise

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside a level; see `Slide.read_level`."""
        assert inside(window, self.level_dimensions[level]), (level, window)
        step = 1 << level
        region = (
            self._left + window.x * step,
            self._top + window.y * step,
            window.width * step,
            window.height * step,
        )
        try:
            bgr = self._handle.read(
                roi=region, zoom=1 / step, background_pixel=(WHITE / 255,) * 3, pixel_type=_RGB
            )
        except Exception as error:  # whatever the library raises
            raise read_failure(self.path, error, f"can't be read at level {level}") from error
        return np.ascontiguousarray(np.asarray(bgr, dtype=np.uint8)[..., ::-1])

    def close(self) -> None:
        """Close the file."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _um_per_px(metadata: ElementTree.Element, axis: str) -> float | None:
    metres = stated_number(metadata.findtext(f".//Scaling/Items/Distance[@Id='{axis}']/Value"))
    return None if metres is None else metres * _UM_PER_M
