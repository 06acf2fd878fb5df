"""Slides that stay open between shards, since opening one costs as much as reading some of its tiles.

A slide of 100,000 × 100,000 px in JPEG takes 20 ms to open, 12 of them holding Python's lock, and each of a shard's reading
threads opens it: for a shard of nine tiles that was 4.5 ms a tile, on top of 80 to read it. From a server it takes
requests; workflows/benchmarks/opening.py measures both.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wsi_edt.slides.protocol import Slide
from wsi_edt.slides.source import SlideSource


@dataclass(frozen=True, slots=True)
class SlideKey:
    """Which slide, and which state of its file.

    Attributes
    ----------
    source : the slide
    fingerprint : of its file, see `SlideSource.fingerprint`: another file of the same name is another slide
    """

    source: SlideSource
    fingerprint: str


class KeptSlides:
    """Lends open slides, each to one borrower at a time, and keeps those that are given back for the next.

    Parameters
    ----------
    most : how many are kept while nobody uses them; of more, the one that was given back first is closed
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._idle: list[tuple[SlideKey, Slide]] = []  # the one given back last comes last

    @contextmanager
    def lent(self, key: SlideKey) -> Iterator[Slide]:
        """Lend the slide, opened if none is kept; an error in the block closes it, as a handle may be useless after it.

        Raises
        ------
        SlideError
            If it can't be opened.
        """
        slide = self._taken(key) or key.source.open()
        try:
            yield slide
        except BaseException:
            slide.close()
            raise
        self._keep(key, slide)

    def close(self) -> None:
        """Close all that nobody uses."""
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
