"""What the rest of the program knows of a slide, whichever library reads it."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from wsi_edt.errors import MissingMppError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.metadata import stated_number

# The property under which a reader says what the user should know of how the slide is read.
REMARK = "wsi-edt.remark"
# The µm/px as a reader found it, where it has no property of its own.
STATED_MPP = "wsi-edt.stated-mpp"
# The property of a slide whose finest level was made from a finer one, which is missing: it says so.
LACKS_FINEST = "wsi-edt.lacks-finest"
RgbArray = npt.NDArray[np.uint8]


class Slide(Protocol):
    """An open slide. One handle belongs to one thread at a time; open another for another thread."""

    @property
    def path(self) -> SlidePath:
        """The file."""

    @property
    def reader(self) -> str:
        """The library behind it: "openslide", "tifffile", "tiffslide", "wsidicom", "pylibCZIrw" or "image"."""

    @property
    def dimensions(self) -> tuple[int, int]:
        """(width, height) of level 0."""

    @property
    def level_dimensions(self) -> tuple[tuple[int, int], ...]:
        """(width, height) of each level, finest first."""

    @property
    def level_downsamples(self) -> tuple[float, ...]:
        """Level-0 px that one px of each level spans; 1.0 for level 0."""

    @property
    def mpp(self) -> float | None:
        """µm per level-0 px: the file's, else the fallback given when opening, else None."""

    @property
    def mpp_stated(self) -> bool:
        """Whether `mpp` is the file's own."""

    @property
    def bounds(self) -> Window:
        """The part that holds the scan, level-0 px, as QuPath shows it; the whole slide if unstated."""

    @property
    def vendor(self) -> str | None:
        """The make of the scanner or of the format, if known."""

    @property
    def objective_power(self) -> float | None:
        """The nominal objective, if stated; never a substitute for `mpp`."""

    @property
    def properties(self) -> Mapping[str, str]:
        """Everything else that the file states, under the reader's own names."""

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) uint8 of a window in px of that level and inside it, alpha on white.

        Raises
        ------
        SlideError
            If the file is damaged or truncated.
        """

    def close(self) -> None:
        """Close the file: it can't be read any more."""

    def __enter__(self) -> Self:
        """The slide itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""


def remark(slide: Slide) -> str | None:
    """What the user should know of how the slide is read (which of several planes, an orientation), if anything."""
    return slide.properties.get(REMARK)


def implausible_mpp(slide: Slide) -> float | None:
    """The µm/px that a slide's file states but no microscope has, often a printer's, if so."""
    if slide.mpp_stated:
        return None
    stated = (
        stated_number(slide.properties.get(name))
        for name in ("openslide.mpp-x", "tiffslide.mpp-x", STATED_MPP)
    )
    return next((number for number in stated if number is not None and number > 0), None)


def required_mpp(slide: Slide) -> float:
    """µm per level-0 px of a slide that must have it.

    Raises
    ------
    MissingMppError
        If neither the file nor the caller stated it.
    """
    if slide.mpp is None:
        implausible = implausible_mpp(slide)
        no_mpp = (
            "no µm/px"
            if implausible is None
            else f"no µm/px that a microscope has (it states {implausible:.4g})"
        )
        raise MissingMppError(f"has {no_mpp}", where=slide.path, remedy="pass --mpp (for example 0.25)")
    return slide.mpp
