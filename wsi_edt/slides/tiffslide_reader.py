"""Slides that tiffslide reads: OME-TIFF and others that openslide doesn't know."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np
from tiffslide import TiffSlide

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath, file_name, open_binary, read_failure
from wsi_edt.slides.metadata import ome_mpp, stated_bounds, stated_mpp, stated_number, true_downsamples
from wsi_edt.slides.pixels import as_rgb, inside
from wsi_edt.slides.protocol import RgbArray

# tifffile logs what it goes on to raise, and zarr leaves the reads beside a failed one to asyncio, which prints their
# tracebacks: users get one sentence instead. If logging is set up, tifffile's lines still arrive there.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("asyncio").addFilter(lambda record: "/zarr/" not in record.getMessage())


class TiffSlideSlide:
    """A slide that tiffslide reads."""

    reader = "tiffslide"

    def __init__(self, path: SlidePath, fallback_mpp: float | None) -> None:
        """Open the file; `fallback_mpp` is used if it states none.

        Raises
        ------
        Exception
            Whatever tiffslide and tifffile raise if they can't open it.
        SlideError
            If it is truncated, or its pixels aren't square or aren't 8-bit RGB.
        """
        self._files = ExitStack()
        try:
            self._handle = self._opened(path)
            _refuse_truncated(self._handle, path)
            self._reported_downsamples = tuple(float(value) for value in self._handle.level_downsamples)
            self.path = path
            self.dimensions: tuple[int, int] = self._handle.dimensions
            self.level_dimensions: tuple[tuple[int, int], ...] = tuple(self._handle.level_dimensions)
            self.level_downsamples = true_downsamples(self.level_dimensions, self._reported_downsamples)
            stated = {key: value for key, value in self._handle.properties.items() if value is not None}
            self.properties: Mapping[str, str] = MappingProxyType({k: str(v) for k, v in stated.items()})
            # tiffslide reads OME-TIFF's resolution tags, which many writers leave out, but not its XML.
            own_mpp = stated_mpp(path, *ome_mpp(self._handle.ts_tifffile.ome_metadata)) or stated_mpp(
                path, *(stated_number(stated.get(f"tiffslide.mpp-{axis}")) for axis in "xy")
            )
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

    def _opened(self, path: SlidePath) -> TiffSlide:
        if isinstance(path, Path):
            return self._files.enter_context(TiffSlide(path))
        # The file is ours to close. tifffile knows some formats by the file's name.
        file = self._files.enter_context(open_binary(path))
        named = {"name": file_name(path)}
        return self._files.enter_context(TiffSlide(file, tifffile_options=named))  # type: ignore[arg-type]

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside a level, as stored; see `Slide.read_level`."""
        assert inside(window, self.level_dimensions[level]), (level, window)
        quotient = self._reported_downsamples[level]
        location = _level_0(window.x, quotient), _level_0(window.y, quotient)
        try:
            pixels = self._handle.read_region(location, level, (window.width, window.height), as_array=True)
        except Exception as error:  # whatever the decoder of the day raises
            raise read_failure(self.path, error, f"can't be read at level {level}") from error
        return as_rgb(np.asarray(pixels), self.path)

    def close(self) -> None:
        """Close the handle."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refuse_truncated(handle: TiffSlide, path: SlidePath) -> None:
    """Compare where the levels' data and the pages should end with where the file does.

    Better to know now than hours later; and a file that lost a page may have lost levels, label or metadata.
    """
    levels = handle.ts_tifffile.series[handle.properties["tiffslide.series-index"]].levels
    end = _next_page(handle)
    for page in (page for level in levels for page in level.pages if page is not None):
        ends = np.asarray(page.dataoffsets, dtype=np.int64) + np.asarray(page.databytecounts, dtype=np.int64)
        end = max(end, int(ends.max(initial=0)))
    size = handle.ts_tifffile.filehandle.size
    if end > size:
        raise SlideError(
            f"is truncated: it has {size} bytes of at least {end}",
            where=path,
            remedy="copy or export it again",
        )


def _next_page(handle: TiffSlide) -> int:
    """Where the first bytes of the page after the last that is there end; 0 if it was the file's last."""
    tifffile = handle.ts_tifffile
    form, file = tifffile.tiff, tifffile.filehandle
    page = tifffile.pages[-1].offset
    file.seek(page)
    (tags,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
    file.seek(page + form.tagnosize + tags * form.tagsize)
    (following,) = struct.unpack(form.offsetformat, file.read(form.offsetsize))
    return int(following) + form.tagnosize if following else 0


def _level_0(level_px: int, quotient: float) -> int:
    """The level-0 px that tiffslide turns into `level_px`: it divides by its quotient and drops the fraction."""
    location = math.ceil(level_px * quotient)
    while int(location / quotient) < level_px:
        location += 1
    return location
