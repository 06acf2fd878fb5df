"""Reads windows ahead in threads, so that the network never waits for the disk or a decoder."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

import numpy as np

from wsi_edt.errors import SlideError, UsageError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.protocol import RgbArray, Slide
from wsi_edt.slides.window import read_window

HANDLES_PER_THREAD = 4


@dataclass(frozen=True, slots=True)
class TileRequest:
    """A window to read: px of `mpp` µm on the slide at `path`, which may be a URL."""

    path: SlidePath
    window: Window
    mpp: float


@dataclass(frozen=True, slots=True, eq=False)
class TileBatch:
    """Windows read together.

    Attributes
    ----------
    images : (B, H, W, 3) uint8 RGB; B is the batch size, or less at the end
    requests : what each image is
    """

    images: RgbArray
    requests: tuple[TileRequest, ...]

    def __post_init__(self) -> None:
        assert 0 < len(self.requests) == len(self.images), (len(self.requests), self.images.shape)


class TileLoader:
    """Iterates over batches of windows in the requests' order, reading some batches ahead in threads.

    Each thread has its own handles, a few of the slides it read last. All windows of a batch have one size. A
    window that can't be read raises a SlideError naming it when its batch is due. Use it as a context manager:
    leaving it stops the threads and closes the handles.

    Parameters
    ----------
    requests : windows to read; may be endless, and is drawn from only as far as is read ahead
    batch_size : images of a batch; the last one may have fewer
    threads : reading threads
    batches_ahead : batches that may be read or waiting beyond the one in use
    opener : opens a slide for the thread that calls it
    """

    def __init__(
        self,
        requests: Iterable[TileRequest],
        *,
        batch_size: int,
        threads: int = 2,
        batches_ahead: int = 2,
        opener: Callable[[SlidePath], Slide],
    ) -> None:
        if min(batch_size, threads, batches_ahead) < 1:
            raise UsageError(
                f"batch size {batch_size}, threads {threads}, batches ahead {batches_ahead}: "
                "each must be at least 1"
            )
        self._requests = iter(requests)
        self._batch_size = batch_size
        self._ahead = batch_size * (batches_ahead + 1)
        self._handles = _Handles(opener)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tile-loader")
        self._pending: deque[tuple[TileRequest, Future[RgbArray]]] = deque()

    def __iter__(self) -> Iterator[TileBatch]:
        return self

    def __next__(self) -> TileBatch:
        self._submit()
        if not self._pending:
            raise StopIteration
        due = [self._pending.popleft() for _ in range(min(self._batch_size, len(self._pending)))]
        first = due[0][0].window
        assert {(r.window.width, r.window.height) for r, _ in due} == {(first.width, first.height)}, due
        images = np.stack([pixels.result() for _, pixels in due])
        self._submit()
        return TileBatch(images, tuple(request for request, _ in due))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop what isn't read yet, wait for the threads and close the handles."""
        self._pending.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._handles.close()

    def _submit(self) -> None:
        for request in islice(self._requests, self._ahead - len(self._pending)):
            self._pending.append((request, self._pool.submit(self._read, request)))

    def _read(self, request: TileRequest) -> RgbArray:
        try:
            return read_window(self._handles.get(request.path), request.window, mpp=request.mpp)
        except SlideError as error:
            # openslide's handle stays useless after an error: the next window gets a fresh one.
            self._handles.discard(request.path)
            window = request.window
            raise type(error)(
                f"{error} (window of {window.width} x {window.height} px at ({window.x}, {window.y}), "
                f"{request.mpp:g} µm/px)"
            ) from error


class _Handles:
    """Open slides, a few per thread: the ones used last."""

    def __init__(self, opener: Callable[[SlidePath], Slide]) -> None:
        self._opener = opener
        self._own = threading.local()
        self._lock = threading.Lock()
        self._open: list[Slide] = []  # of all threads, for closing

    def get(self, path: SlidePath) -> Slide:
        slides = self._of_this_thread()
        slide = slides.get(path)
        if slide is None:
            slide = self._opener(path)
            slides[path] = slide
            with self._lock:
                self._open.append(slide)
            if len(slides) > HANDLES_PER_THREAD:
                self._close(slides.popitem(last=False)[1])
        slides.move_to_end(path)
        return slide

    def discard(self, path: SlidePath) -> None:
        slide = self._of_this_thread().pop(path, None)
        if slide is not None:
            self._close(slide)

    def close(self) -> None:
        with self._lock:
            for slide in self._open:
                slide.close()
            self._open.clear()

    def _of_this_thread(self) -> OrderedDict[SlidePath, Slide]:
        if not hasattr(self._own, "slides"):
            self._own.slides = OrderedDict()
        slides: OrderedDict[SlidePath, Slide] = self._own.slides
        return slides

    def _close(self, slide: Slide) -> None:
        with self._lock:
            self._open = [other for other in self._open if other is not slide]
        slide.close()
