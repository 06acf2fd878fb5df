"""Reads windows ahead in threads, so that the network never waits for the disk or a decoder."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

import numpy as np

from wsi_edt.errors import SlideError, UsageError
from wsi_edt.geometry import Window
from wsi_edt.slides.protocol import RgbArray, Slide
from wsi_edt.slides.source import SlideSource
from wsi_edt.slides.window import read_window

# Yields a slide that is open until the context ends; the context learns of errors in it. A `Slide` is such a context.
Opener = Callable[[SlideSource], AbstractContextManager[Slide]]


@dataclass(frozen=True, slots=True)
class TileRequest:
    """A window to read: px of `model_mpp` µm of a slide."""

    source: SlideSource
    window: Window
    model_mpp: float


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

    Each window is read into its place in the batch. Each thread has its own handle, of the slide that it read last.
    All windows of a batch have one size. A window that can't be read raises a SlideError that names it, when its batch
    is due. Use it as a context manager: leaving it stops the threads and closes the handles.

    Parameters
    ----------
    requests : windows to read; may be endless: only what is read ahead is taken from it
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
        opener: Opener = SlideSource.open,
    ) -> None:
        if min(batch_size, threads, batches_ahead) < 1:
            raise UsageError(
                f"a batch size of {batch_size}, {threads} threads and {batches_ahead} batches ahead aren't possible",
                remedy="give at least 1 each",
            )
        self._requests = iter(requests)
        self._batch_size = batch_size
        self._ahead = batches_ahead + 1
        self._handles = _Handles(opener)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tile-loader")
        self._pending: deque[tuple[TileBatch, list[Future[None]]]] = deque()

    def __iter__(self) -> Iterator[TileBatch]:
        return self

    def __next__(self) -> TileBatch:
        self._submit()
        if not self._pending:
            raise StopIteration
        batch, reads = self._pending.popleft()
        for read in reads:
            read.result()
        self._submit()
        return batch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop what hasn't been read, wait for the threads and close the handles."""
        self._pending.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._handles.close()

    def _submit(self) -> None:
        while len(self._pending) < self._ahead:
            requests = tuple(islice(self._requests, self._batch_size))
            if not requests:
                return
            first = requests[0].window
            assert {(r.window.width, r.window.height) for r in requests} == {(first.width, first.height)}, (
                requests
            )
            images = np.empty((len(requests), first.height, first.width, 3), np.uint8)
            reads = [
                self._pool.submit(self._read, request, image)
                for request, image in zip(requests, images, strict=True)
            ]
            self._pending.append((TileBatch(images, requests), reads))

    def _read(self, request: TileRequest, image: RgbArray) -> None:
        """Read a window into its place in the batch."""
        try:
            slide = self._handles.get(request.source)
            read_window(slide, request.window, wanted_mpp=request.model_mpp, out=image)
        except SlideError as error:
            # openslide's handle stays useless after an error: the next window gets a fresh one.
            self._handles.close_own(error)
            window = request.window
            raise error.within(
                f"window of {window.width} x {window.height} px at ({window.x}, {window.y}), {request.model_mpp:g} µm/px"
            ) from error


class _Handles:
    """Open slides, one per thread: the one that it read last."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._lock = threading.Lock()
        self._open: dict[int, _Handle] = {}  # by thread

    def get(self, source: SlideSource) -> Slide:
        """The slide, opened for this thread."""
        handle = self._open.get(threading.get_ident())
        if handle is None or handle.source != source:
            self.close_own()
            context = self._opener(source)
            handle = _Handle(source, context, context.__enter__())
            with self._lock:
                self._open[threading.get_ident()] = handle
        return handle.slide

    def close_own(self, error: SlideError | None = None) -> None:
        """Close this thread's slide, perhaps because of an error in it."""
        with self._lock:
            handle = self._open.pop(threading.get_ident(), None)
        if handle is not None:
            handle.close(error)

    def close(self) -> None:
        """Close all slides."""
        with self._lock:
            for handle in self._open.values():
                handle.close()
            self._open.clear()


@dataclass(frozen=True, slots=True, eq=False)
class _Handle:
    """An open slide, and the context that it is open in."""

    source: SlideSource
    context: AbstractContextManager[Slide]
    slide: Slide

    def close(self, error: SlideError | None = None) -> None:
        if error is None:
            self.context.__exit__(None, None, None)
        else:
            self.context.__exit__(type(error), error, error.__traceback__)
