"""A slide that may be opened: where it lies, and the µm/px to take if it states none."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.slides.black import BlackAsWhite
from wsi_edt.slides.fingerprint import FileState, file_state
from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.opening import open_slide
from wsi_edt.slides.protocol import Slide


@dataclass(frozen=True, slots=True)
class SlideSource:
    """A slide's file or URL, as tasks carry it to workers.

    Attributes
    ----------
    path : of the file, or its URL
    fallback_mpp : µm per level-0 px if the file states none; never overrules one that does
    series : the number of the picture in a file of several, from 1 as `wsi-edt info` lists them; by default its one scan
    icc : whether its ICC profile is applied
    black_as_white : whether black that wasn't scanned is read as white, see `black`
    """

    path: SlidePath
    fallback_mpp: float | None = None
    series: int | None = None
    icc: bool = False
    black_as_white: bool = False

    def open(self) -> Slide:
        """The slide, opened for the thread that calls; see `open_slide` for what it raises."""
        slide = open_slide(self.path, self.fallback_mpp, series=self.series, icc=self.icc)
        return BlackAsWhite(slide) if self.black_as_white else slide

    def state(self) -> FileState:
        """The state of the slide's files; see `file_state` for what it raises."""
        return file_state(self.path, self.series)

    def fingerprint(self) -> str:
        """What tells the slide's content from another's under the same name; see `file_state`."""
        return self.state().fingerprint

    def __str__(self) -> str:
        return str(self.path)
