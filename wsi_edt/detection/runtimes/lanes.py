"""What a GPU's batches need on the host: a buffer to be copied from, and a way to be captured undisturbed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from wsi_edt.detection.runtimes.runtime import Images

K = TypeVar("K")
V = TypeVar("V")

_log = logging.getLogger(__name__)


class Staging:
    """Memory that batches are copied to a GPU from, one at a time; it grows with the largest of them.

    Parameters
    ----------
    pinned : locked in memory, so that the copy runs beside the host's work
    """

    def __init__(self, *, pinned: bool) -> None:
        self._pinned = pinned
        self._bytes = torch.empty(0, dtype=torch.uint8)

    def filled(self, images: Images) -> Tensor:
        """A batch (B, H, W, 3) uint8 in this memory, until the next."""
        if self._bytes.numel() < images.size:
            self._bytes = torch.empty(images.size, dtype=torch.uint8, pin_memory=self._pinned)
        held = self._bytes[: images.size].view(images.shape)
        np.copyto(held.numpy(), images)  # in this thread: torch's own copy would start some more
        return held


class Gate:
    """Lets many threads in at a time, or one that needs to be alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._wanted_alone = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Be inside with others, once no thread is alone or waits to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._wanted_alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be inside alone, once the threads inside have left."""
        with self._changed:
            self._wanted_alone += 1
            try:
                self._changed.wait_for(lambda: not self._inside)
                yield  # with the lock, so that nobody enters
            finally:
                self._wanted_alone -= 1
                self._changed.notify_all()


class Captures(Generic[K, V]):
    """Decides what is captured as a graph: the first few kinds of batches, until a capture fails.

    Parameters
    ----------
    gate : where all work on the device goes through; a capture is alone there
    most : that a lane holds
    """

    def __init__(self, gate: Gate, *, most: int) -> None:
        self._gate = gate
        self._most = most
        self._failed = False

    def graph(self, held: dict[K, V], key: K, capture: Callable[[], V]) -> V | None:
        """The lane's graph for that kind of batch, captured at the first one; None if the batch is to run without."""
        if key not in held and len(held) < self._most and not self._failed:
            with self._gate.alone():
                try:
                    held[key] = capture()
                except Exception as error:  # drivers, allocators and capturing itself raise what they like
                    self._failed = True
                    _log.warning(
                        "no CUDA graph for %s (%s: %s); the network runs without, slower and with the same cells",
                        key,
                        type(error).__name__,
                        error,
                    )
        return held.get(key)
