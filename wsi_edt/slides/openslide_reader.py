"""Slides that openslide reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np
import openslide

from wsi_edt.geometry import Window
from wsi_edt.slides.image_reader import ImageSlide
from wsi_edt.slides.location import read_failure
from wsi_edt.slides.metadata import stated_bounds, stated_mpp, stated_number, true_downsamples
from wsi_edt.slides.picture_roles import Picture, Role, role_by_name
from wsi_edt.slides.pixels import inside, on_white
from wsi_edt.slides.protocol import RgbArray

# Below this offset cairo's interpolation leaves pixels as they are: measured on ki67-scanner-a.tif and no-mpp.svs
# against the stored pixels (exact at 1/512, one grey level off at 1/256).
EXACT_OFFSET_PX = 1 / 512
# How much more than asked may be read to get pixels as they are stored.
ANCHOR_SEARCH_PX = 2048
ANCHOR_EXTRA_PX = 2**22


class OpenSlideSlide:
    """A slide that openslide reads. A handle is useless after a read error: open another."""

    reader = "openslide"

    def __init__(self, path: Path, fallback_mpp: float | None) -> None:
        """Open the file; `fallback_mpp` is used if it states none.

        Raises
        ------
        openslide.OpenSlideError
            If openslide can't open it.
        SlideError
            If its pixels aren't square.
        """
        self._handle = openslide.OpenSlide(path)
        try:
            self._reported_downsamples = tuple(float(value) for value in self._handle.level_downsamples)
            self.path = path
            self.dimensions: tuple[int, int] = self._handle.dimensions
            self.level_dimensions: tuple[tuple[int, int], ...] = tuple(self._handle.level_dimensions)
            self.level_downsamples = true_downsamples(self.level_dimensions, self._reported_downsamples)
            properties = dict(self._handle.properties)
            self.properties: Mapping[str, str] = MappingProxyType(properties)
            own_mpp = stated_mpp(
                path, *(stated_number(properties.get(f"openslide.mpp-{axis}")) for axis in "xy")
            )
            self.mpp = own_mpp or fallback_mpp
            self.mpp_stated = own_mpp is not None
            self.bounds = stated_bounds(
                [properties.get(f"openslide.bounds-{side}") for side in ("x", "y", "width", "height")],
                self.dimensions,
            )
            self.vendor = properties.get("openslide.vendor")
            self.objective_power = stated_number(properties.get("openslide.objective-power"))
        except BaseException:
            self._handle.close()
            raise

    @property
    def icc_profile(self) -> bytes | None:
        """The file's ICC profile, if it has one."""
        profile = self._handle.color_profile
        return None if profile is None else profile.tobytes()

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside a level, as stored; see `Slide.read_level`."""
        assert inside(window, self.level_dimensions[level]), (level, window)
        quotient = self._reported_downsamples[level]
        left, top = _anchors(window, quotient)
        try:
            region = self._handle.read_region(
                (round(left * quotient), round(top * quotient)),
                level,
                (window.right - left, window.bottom - top),
            )
        except Exception as error:  # openslide's own errors, and ctypes' on a closed handle
            raise read_failure(self.path, error, f"can't be read at level {level}") from error
        rgba = np.asarray(region, dtype=np.uint8)[window.y - top :, window.x - left :]
        return on_white(np.ascontiguousarray(rgba))

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The scan, which openslide puts together from its regions, and the pictures beside it."""
        stated = self.properties
        others = [
            Picture(
                number,
                name,
                (
                    int(stated[f"openslide.associated.{name}.width"]),
                    int(stated[f"openslide.associated.{name}.height"]),
                ),
                None,
                role_by_name(name) or Role.OTHER,
            )
            for number, name in enumerate(sorted(self._handle.associated_images), start=2)
        ]
        mpp = self.mpp if self.mpp_stated else None
        return (Picture(1, "", self.dimensions, mpp, Role.SCAN), *others)

    def other_picture(self, number: int, fallback_mpp: float | None) -> ImageSlide:
        """One of the pictures beside the scan, in memory."""
        images = self._handle.associated_images
        pixels = np.asarray(images[sorted(images)[number - 2]], dtype=np.uint8)
        return ImageSlide(self.path, on_white(np.ascontiguousarray(pixels)), fallback_mpp)

    def close(self) -> None:
        """Close the handle."""
        self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _anchors(window: Window, quotient: float) -> tuple[int, int]:
    """The (left, top) level px to read from, so that openslide returns a level's pixels as they are stored.

    openslide takes whole level-0 px and divides them by its own quotient of the level's sizes, which often isn't
    a whole number; if a fraction of a level px remains, it interpolates. A little farther left and up there may
    be a px that a whole level-0 px hits. If that is too far, the px that comes nearest within 64 px is taken:
    the colours are then smoothed over less than half a level-0 px.
    """
    if quotient == round(quotient):
        return window.x, window.y
    left, top = _anchor(window.x, quotient, ANCHOR_SEARCH_PX), _anchor(window.y, quotient, ANCHOR_SEARCH_PX)
    extra = (window.right - left) * (window.bottom - top) - window.width * window.height
    if extra > ANCHOR_EXTRA_PX:
        return _anchor(window.x, quotient, 64), _anchor(window.y, quotient, 64)
    return left, top


@lru_cache(maxsize=4096)
def _anchor(start: int, quotient: float, search_px: int) -> int:
    """The last px at or before `start` that a whole level-0 px hits, else the one that comes nearest."""
    candidates = np.arange(start, max(start - search_px, -1), -1, dtype=np.int64)
    level_0 = candidates * quotient
    offsets = np.abs(level_0 - np.round(level_0)) / quotient
    exact = np.flatnonzero(offsets < EXACT_OFFSET_PX)
    return int(candidates[exact[0] if len(exact) else np.argmin(offsets)])
