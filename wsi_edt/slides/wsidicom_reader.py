"""Whole slides in DICOM that openslide can't read (JPEG-LS, for example), through the optional package wsidicom."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np

from wsi_edt.geometry import Window
from wsi_edt.slides.location import read_failure
from wsi_edt.slides.metadata import stated_mpp, true_downsamples
from wsi_edt.slides.pixels import as_rgb, inside
from wsi_edt.slides.protocol import RgbArray


class WsiDicomSlide:
    """A slide that wsidicom reads."""

    reader = "wsidicom"

    def __init__(self, path: Path, files: Sequence[Path], fallback_mpp: float | None) -> None:
        """Open the files of the levels; `path` is the one that stands for them.

        Raises
        ------
        ImportError
            If wsidicom isn't installed.
        Exception
            Whatever wsidicom raises if it can't open them.
        SlideError
            If the pixels aren't square.
        """
        from wsidicom import WsiDicom

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values that DICOM's rules don't allow
            self._handle = WsiDicom.open(files)
        try:
            levels = sorted(self._handle.pyramid, key=lambda one: one.level)
            self._numbers = tuple(one.level for one in levels)
            self.path = path
            self.level_dimensions: tuple[tuple[int, int], ...] = tuple(
                (one.size.width, one.size.height) for one in levels
            )
            self.dimensions = self.level_dimensions[0]
            quotients = [self.dimensions[0] / width for width, _ in self.level_dimensions]
            self.level_downsamples = true_downsamples(self.level_dimensions, quotients)
            spacing = levels[0].mpp
            own_mpp = stated_mpp(path, float(spacing.width), float(spacing.height))
            self.mpp = own_mpp or fallback_mpp
            self.mpp_stated = own_mpp is not None
            self.bounds = Window(0, 0, *self.dimensions)
            self.vendor: str | None = "dicom"
            self.objective_power: float | None = None
            self.properties: Mapping[str, str] = MappingProxyType({})
        except BaseException:
            self._handle.close()
            raise

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside a level, as stored; see `Slide.read_level`."""
        assert inside(window, self.level_dimensions[level]), (level, window)
        try:
            pixels = self._handle.read_region(
                (window.x, window.y), self._numbers[level], (window.width, window.height), as_array=True
            )
        except Exception as error:  # whatever the decoder of the day raises
            raise read_failure(self.path, error, f"can't be read at level {level}") from error
        return as_rgb(np.asarray(pixels), self.path)

    def close(self) -> None:
        """Close the files."""
        self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
