"""Scanners' own TIFF formats at URLs, which tiffslide reads; openslide takes only local files."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np
import tifffile
from tiffslide import TiffSlide

from wsi_edt.geometry import Window
from wsi_edt.slides.image_reader import ImageSlide
from wsi_edt.slides.location import SlidePath, file_name, read_failure
from wsi_edt.slides.metadata import stated_bounds, stated_mpp, stated_number, true_downsamples
from wsi_edt.slides.picture_roles import Picture, Role, role_by_name
from wsi_edt.slides.pixels import WHITE, as_rgb, inside, ycbcr_to_rgb
from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.tiff_file import OpenTiff, refuse_truncated

# zarr leaves the reads beside a failed one to asyncio, which prints their tracebacks: users get one sentence instead.
logging.getLogger("asyncio").addFilter(lambda record: "/zarr/" not in record.getMessage())


class TiffSlideSlide:
    """A slide that tiffslide reads."""

    reader = "tiffslide"

    def __init__(self, path: SlidePath, fallback_mpp: float | None, *, file: OpenTiff | None = None) -> None:
        """Open the file; `fallback_mpp` is used if it states none.

        `file` is the file if it is open already; it is closed with the slide.

        Raises
        ------
        Exception
            Whatever tiffslide and tifffile raise if they can't open it.
        SlideError
            If it is truncated, or its pixels aren't square or aren't 8-bit RGB.
        """
        self._files = ExitStack()
        try:
            self._handle = self._opened(path, self._files.enter_context(file or OpenTiff(path)))
            levels = self._scan().levels
            refuse_truncated(self._handle.ts_tifffile, (page for level in levels for page in level), path)
            for series in self._handle.ts_tifffile.series:
                for level in series.levels:
                    level.keyframe.nodata = WHITE  # where the file has no tile
            # Aperio's JPEG 2000 of this kind holds YCbCr without saying so.
            self._is_ycbcr = levels[0].keyframe.compression == tifffile.COMPRESSION.APERIO_JP2000_YCBC
            self._reported_downsamples = tuple(float(value) for value in self._handle.level_downsamples)
            self.path = path
            self.dimensions: tuple[int, int] = self._handle.dimensions
            self.level_dimensions: tuple[tuple[int, int], ...] = tuple(self._handle.level_dimensions)
            self.level_downsamples = true_downsamples(self.level_dimensions, self._reported_downsamples)
            stated = {key: value for key, value in self._handle.properties.items() if value is not None}
            self.properties: Mapping[str, str] = MappingProxyType({k: str(v) for k, v in stated.items()})
            own_mpp = stated_mpp(path, *(stated_number(stated.get(f"tiffslide.mpp-{axis}")) for axis in "xy"))
            self.mpp = own_mpp or fallback_mpp
            self.mpp_stated = own_mpp is not None
            self.bounds = stated_bounds(
                [stated.get(f"tiffslide.bounds-{side}") for side in ("x", "y", "width", "height")],
                self.dimensions,
            )
            self.vendor: str | None = self.properties.get("tiffslide.vendor")
            self.objective_power = stated_number(stated.get("tiffslide.objective-power"))
            # 16-bit and many-channel files open as well: one px tells.
            self.read_level(0, Window(0, 0, 1, 1))
        except BaseException:
            self._files.close()
            raise

    def _opened(self, path: SlidePath, file: OpenTiff) -> TiffSlide:
        if file.binary is None:
            assert isinstance(path, Path)
            return self._files.enter_context(TiffSlide(path))
        file.binary.seek(0)
        named = {"name": file_name(path)}  # tifffile knows some formats by it
        return self._files.enter_context(TiffSlide(file.binary, tifffile_options=named))  # type: ignore[arg-type]

    @property
    def icc_profile(self) -> bytes | None:
        """The file's ICC profile, if it has one."""
        profile = self._handle.color_profile
        return None if profile is None else profile.tobytes()

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside a level, as stored; see `Slide.read_level`."""
        assert inside(window, self.level_dimensions[level]), (level, window)
        quotient = self._reported_downsamples[level]
        location = _level_0(window.x, quotient), _level_0(window.y, quotient)
        try:
            pixels = self._handle.read_region(location, level, (window.width, window.height), as_array=True)
        except Exception as error:  # whatever the decoder of the day raises
            raise read_failure(self.path, error, f"can't be read at level {level}") from error
        rgb = as_rgb(np.asarray(pixels), self.path)
        return ycbcr_to_rgb(rgb) if self._is_ycbcr else rgb

    def _scan(self) -> tifffile.TiffPageSeries:
        """The series that is the scan, or the first part of it."""
        scan: tifffile.TiffPageSeries = self._handle.ts_tifffile.series[
            self._handle.properties["tiffslide.series-index"]
        ]
        return scan

    def _others(self) -> list[tifffile.TiffPageSeries]:
        """The other pictures, by name."""
        parts = self._handle.properties.get("tiffslide.series-composition") or {"located_series": {}}
        scan = self._scan()
        others = [
            one
            for k, one in enumerate(self._handle.ts_tifffile.series)
            if one is not scan and k not in parts["located_series"]
        ]
        return sorted(others, key=lambda one: str(one.name))

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The scan, and the pictures beside it."""
        others = [
            Picture(
                number,
                one.name,
                (int(one.keyframe.imagewidth), int(one.keyframe.imagelength)),
                None,
                role_by_name(one.name) or Role.OTHER,
            )
            for number, one in enumerate(self._others(), start=2)
        ]
        mpp = self.mpp if self.mpp_stated else None
        return (Picture(1, "", self.dimensions, mpp, Role.SCAN), *others)

    def other_picture(self, number: int, fallback_mpp: float | None) -> ImageSlide:
        """One of the pictures beside the scan, in memory."""
        pixels = np.asarray(self._others()[number - 2].asarray())
        return ImageSlide(self.path, as_rgb(pixels, self.path), fallback_mpp)

    def close(self) -> None:
        """Close the handle."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _level_0(level_px: int, quotient: float) -> int:
    """The level-0 px that tiffslide turns into `level_px`: it divides by its quotient and drops the fraction."""
    location = math.ceil(level_px * quotient)
    while int(location / quotient) < level_px:
        location += 1
    return location
