"""Networks that cost nothing, and workers that run them: the rest of the pipeline alone."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.cluster.detector_spec import DetectorSpec
from wsi_edt.cluster.pool import PendingShard
from wsi_edt.cluster.worker import ShardResult, ShardTask, ShardWorker
from wsi_edt.detection.shards import detect_shard
from wsi_edt.maps import DecodeSettings, Peaks, decode

T = TypeVar("T")

_SIDE_PX = 9  # about a nucleus at the shipped model's 0.3125 µm/px, averaged twice
_THRESHOLD = 0.35


class StubNetwork:
    """Means of blue's and of red's darkness over a nucleus: brown cells are positive, blue ones negative.

    The sums are whole numbers, exact in float32: the same tissue gives the same cells wherever it lies in a tile.
    """

    def __init__(self, window_px: int) -> None:
        self._settings = DecodeSettings(("positive", "negative"), "max", window_px, _THRESHOLD)

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        """(B, H, W, 3) uint8 RGB → the peaks of each tile, in px of its tile."""
        return [decode(self._maps(image), self._settings) for image in images]

    def _maps(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        dark = _sums(_sums(255 - image[..., [2, 0]]))
        return np.ascontiguousarray(np.moveaxis(dark, 2, 0) / np.float32(255 * _SIDE_PX**4))


def _sums(values: npt.NDArray[np.uint8 | np.float32]) -> npt.NDArray[np.float32]:
    """(H, W, 2) → the sums of a nucleus' square around each px."""
    side = (_SIDE_PX, _SIDE_PX)
    sums = cv2.boxFilter(values, cv2.CV_32F, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(sums, np.float32)


def compute(task: ShardTask) -> ShardResult:
    """A shard's peaks, as a worker finds them, but by the stub."""
    started = time.perf_counter()
    peaks = detect_shard(
        task.shard,
        StubNetwork(task.detector.decode.window_px).detect,
        source=task.source,
        model_mpp=task.model_mpp,
        batch_size=task.batch_size,
        readers=2,
    )
    return ShardResult(peaks, time.perf_counter() - started)


class Costless:
    """A network that takes no time and finds nothing."""

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        """(B, H, W, 3) uint8 RGB → no peaks for each tile."""
        none = np.zeros(0, np.int32)
        return [Peaks(none, none, np.zeros(0, np.float32), np.zeros(0, np.uint8)) for _ in images]


def ready(spec: DetectorSpec) -> None:
    """Build nothing: there is no network."""


def costless(task: ShardTask) -> ShardResult:
    """What a worker does, with a network that costs nothing."""
    return _costless.compute(task)


def costless_read_by_one(task: ShardTask) -> ShardResult:
    """The same with one thread that reads each shard."""
    return _costless_read_by_one.compute(task)


# Of this process. They are in this module, and not in a script's, because workers find them by its name.
_costless = ShardWorker(lambda spec: Costless().detect)
_costless_read_by_one = ShardWorker(lambda spec: Costless().detect, readers=1)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A shard that the process computes; see `PendingShard`."""

    future: Future[ShardResult]

    def result(self) -> ShardResult:
        return self.future.result()

    def cancel(self) -> object:
        return self.future.cancel()

    def abandon(self) -> object:
        return self.future.cancel()


class StubWorkers:
    """A `ShardPool` of one process with a stub for its network."""

    slots = 2  # one computed, one waiting; a worker of a real run computes two at a time

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        """Compute a shard; `done` is called when it has ended."""
        future = self._executor.submit(compute, task)
        future.add_done_callback(lambda _: done())
        return _Pending(future)

    def ask(self, question: Callable[[], T]) -> T:
        """What a module's function answers in the worker."""
        return self._executor.submit(question).result()


@contextmanager
def stub_workers() -> Iterator[StubWorkers]:
    """Give a pool with its process started."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield StubWorkers(executor)
