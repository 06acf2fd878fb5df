"""Colours as a slide's own ICC profile means them: what a scanner recorded, brought to sRGB.

Off by default: the networks were trained on colours as they are stored.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np
from PIL import Image, ImageCms

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides.protocol import REMARK, RgbArray, Slide

UNREADABLE = b"\0"  # in the place of a profile that can't be read


def icc_profile(slide: Slide) -> bytes | None:
    """The profile in a slide's file, if it has one and its reader knows of it."""
    try:
        profile = getattr(slide, "icc_profile", None)
    except ImageCms.PyCMSError:  # of readers that parse it
        return UNREADABLE
    return profile if isinstance(profile, bytes) and profile else None


def profile_name(profile: bytes) -> str:
    """What a profile calls itself; "can't be read" of what is none."""
    try:
        return " ".join(ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).split())
    except (ImageCms.PyCMSError, OSError):
        return "can't be read"


def with_profile(slide: Slide) -> Slide:
    """The slide with its profile applied; without one as it is, with a remark.

    Raises
    ------
    SlideError
        If the profile can't be read, or isn't one of RGB; the slide is closed.
    """
    try:
        return IccSlide(slide, icc_profile(slide))
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        slide.close()
        raise SlideError(
            f"has an ICC profile that can't be applied ({error})", where=slide.path, remedy="leave --icc out"
        ) from error


class IccSlide:
    """A slide in sRGB."""

    def __init__(self, slide: Slide, profile: bytes | None) -> None:
        self._slide = slide
        self._to_srgb = None if profile is None else _transform(profile)
        self.path = slide.path
        self.reader = slide.reader
        self.dimensions = slide.dimensions
        self.level_dimensions = slide.level_dimensions
        self.level_downsamples = slide.level_downsamples
        self.mpp = slide.mpp
        self.mpp_stated = slide.mpp_stated
        self.bounds = slide.bounds
        self.vendor = slide.vendor
        self.objective_power = slide.objective_power
        done = "no ICC profile is there to apply" if profile is None else "its ICC profile is applied"
        said = [remark for remark in (slide.properties.get(REMARK), done) if remark]
        self.properties: Mapping[str, str] = MappingProxyType({**slide.properties, REMARK: "; ".join(said)})
        self.icc_profile = profile

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside a level, in sRGB; see `Slide.read_level`."""
        pixels = self._slide.read_level(level, window)
        if self._to_srgb is None:
            return pixels
        picture = ImageCms.applyTransform(Image.fromarray(pixels), self._to_srgb)
        assert picture is not None
        return np.array(picture, dtype=np.uint8)

    def close(self) -> None:
        """Close the slide."""
        self._slide.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _transform(profile: bytes) -> ImageCms.ImageCmsTransform:
    """To sRGB, white to white: what is glass for one scanner is glass for all."""
    return ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        "RGB",
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
