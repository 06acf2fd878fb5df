"""What annotations need to know of their slide: where its px lie for programs that don't count from level 0's corner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from wsi_edt.qupath.dialect import shown_corner
from wsi_edt.slides import Slide
from wsi_edt.slides.metadata import stated_number

_OFFSETS_NM = ("hamamatsu.XOffsetFromSlideCentre", "hamamatsu.YOffsetFromSlideCentre")


@dataclass(frozen=True, slots=True)
class AnnotatedSlide:
    """The slide that annotations were drawn on.

    Attributes
    ----------
    size : (width, height) of level 0
    mpp : µm per level-0 px
    corner : the level-0 point at which QuPath's coordinates start, see `shown_corner`
    centre_offset_nm : (x, y) of the scan's centre from the glass's, in nm; None but for Hamamatsu's slides
    """

    size: tuple[int, int]
    mpp: float | None = None
    corner: tuple[float, float] = (0.0, 0.0)
    centre_offset_nm: tuple[float, float] | None = None

    @classmethod
    def of(cls, slide: Slide) -> Self:
        """What an open slide states."""
        x, y = (stated_number(slide.properties.get(name)) for name in _OFFSETS_NM)
        offset = None if x is None or y is None else (x, y)
        return cls(slide.dimensions, slide.mpp, shown_corner(slide.bounds), offset)
