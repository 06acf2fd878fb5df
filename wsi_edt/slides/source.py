"""A slide that may be opened: where it lies, and the µm/px to take where it states none."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.opening import open_slide
from wsi_edt.slides.protocol import Slide


@dataclass(frozen=True, slots=True)
class SlideSource:
    """A slide's file or URL, as tasks carry it to workers.

    Attributes
    ----------
    path : of the file, or its URL
    fallback_mpp : µm per level-0 px where the file states none; never overrules one that does
    """

    path: SlidePath
    fallback_mpp: float | None = None

    def open(self) -> Slide:
        """The slide, opened for the thread that calls; see `open_slide` for what it raises."""
        return open_slide(self.path, self.fallback_mpp)

    def __str__(self) -> str:
        return str(self.path)
