"""Open handles of one slide, lent to one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from wsi_edt.slides import Slide, SlideSource


class Handles:
    """Lends open handles of a slide, and keeps those that are given back.

    A plain picture is held whole by its reader, up to 0.8 GB: of that there is one handle, and borrowers wait for it. There
    are never more handles than threads that borrow.
    """

    def __init__(self, source: SlideSource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._alone = threading.Lock()
        self._idle: list[Slide] = []
        self._whole: Slide | None = None
        self._closed = False

    @contextmanager
    def lent(self) -> Iterator[Slide]:
        """Lend the slide, opened if no handle is idle; an error in the block closes it.

        Raises
        ------
        SlideError
            If it can't be opened.
        """
        slide = self._taken()
        if slide is self._whole:
            with self._alone:
                yield slide
            return
        try:
            yield slide
        except BaseException:
            slide.close()
            raise
        self._keep(slide)

    def close(self) -> None:
        """Close all that nobody uses, and the others as they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            if self._whole is not None:
                idle.append(self._whole)
        for slide in idle:
            with self._alone:
                slide.close()

    def _taken(self) -> Slide:
        with self._lock:
            if self._whole is not None:
                return self._whole
            if self._idle:
                return self._idle.pop()
            slide = self._source.open()
            if slide.reader == "image":
                self._whole = slide
            return slide

    def _keep(self, slide: Slide) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(slide)
                return
        slide.close()
