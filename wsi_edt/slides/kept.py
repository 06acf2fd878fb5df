"""Slides that stay open between shards, since opening one costs as much as reading a tile's part of it.

A slide of 100,000 × 100,000 px in JPEG takes 20 ms to open, 12 of them with Python's lock, and each of a shard's reading
threads opens it: for a shard of nine tiles that was 4.5 ms a tile, beside 80 to read it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.protocol import Slide


@dataclass(frozen=True, slots=True)
class SlideKey:
    """Which slide, read in which way.

    Attributes
    ----------
    mpp : µm per level-0 px of a slide that states none
    fingerprint : of the file: another file under the same name is another slide
    """

    path: SlidePath
    mpp: float | None
    fingerprint: str


class KeptSlides:
    """Lends open slides, each to one borrower at a time, and keeps those that are given back for the next.

    Parameters
    ----------
    opener : opens a slide
    most : that are kept while nobody has them; of more, the one that was given back first is closed
    """

    def __init__(self, opener: Callable[[SlideKey], Slide], *, most: int) -> None:
        self._opener = opener
        self._most = most
        self._lock = threading.Lock()
        self._idle: list[tuple[SlideKey, Slide]] = []  # the one given back last comes last

    @contextmanager
    def lent(self, key: SlideKey) -> Iterator[Slide]:
        """Give the slide, opened where none is kept; an error of the block closes it, as a handle may be useless then.

        Raises
        ------
        SlideError
            Where it can't be opened.
        """
        slide = self._taken(key) or self._opener(key)
        try:
            yield slide
        except BaseException:
            slide.close()
            raise
        self._keep(key, slide)

    def close(self) -> None:
        """Close all that nobody has."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, slide in idle:
            slide.close()

    def _taken(self, key: SlideKey) -> Slide | None:
        with self._lock:
            for place in reversed(range(len(self._idle))):
                if self._idle[place][0] == key:
                    return self._idle.pop(place)[1]
        return None

    def _keep(self, key: SlideKey, slide: Slide) -> None:
        if slide.reader == "image":  # which is held whole: up to 0.8 GB
            slide.close()
            return
        with self._lock:
            self._idle.append((key, slide))
            surplus = self._idle.pop(0)[1] if len(self._idle) > self._most else None
        if surplus is not None:
            surplus.close()
