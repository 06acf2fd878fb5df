"""torch as a runtime on a GPU: batches side by side in streams, each a CUDA graph, with peaks found there.

A batch is some 900 kernels, whose launching took longer than a GPU computes a small network, with Python's lock, which the
reading threads want too. As a graph they are one launch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeVar

import torch
from torch import Tensor

from wsi_edt.detection.compute import Precision
from wsi_edt.detection.runtimes.device_peaks import Candidates, candidates, finds, peaks_of
from wsi_edt.detection.runtimes.lanes import Captures, Gate, Staging
from wsi_edt.detection.runtimes.prepared import PreparedNetwork
from wsi_edt.detection.runtimes.runtime import FloatMaps, Images
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.networks import Normalisation
from wsi_edt.networks.network import Network

T = TypeVar("T")
Kind = tuple[tuple[int, ...], DecodeSettings]  # of a batch: its shape, and how its peaks are found

_LANES = 2  # batches on a GPU: one computed, one copied
# Of a lane: by default batches have 4 tiles, and a shard's last one 3, 2 or 1. A small batch without a graph would take as
# long as a full one, so each has its own; they hold 2 GiB for the shipped model. Further shapes run without.
_MOST_GRAPHS = 4
_WARM_UPS = 3


class BatchGraph(Generic[T]):
    """Work on a batch on the GPU, captured once and replayed for each batch of its shape.

    Parameters
    ----------
    work : (B, H, W, 3) uint8 → tensors, all on the GPU; waits for nothing and copies nothing from the host
    shape : of the batch
    stream : where it is captured and replayed; not the default one
    """

    def __init__(
        self, work: Callable[[Tensor], T], shape: tuple[int, ...], stream: torch.cuda.Stream
    ) -> None:
        with torch.inference_mode(), torch.cuda.stream(stream):
            self._pixels = torch.zeros(shape, dtype=torch.uint8, device="cuda")
            for _ in range(
                _WARM_UPS
            ):  # what libraries choose and allocate at their first calls stays out of the graph
                work(self._pixels)
        stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        # Its memory is its own. "thread_local": what other threads ask of CUDA meanwhile doesn't end the capture.
        with (
            torch.inference_mode(),
            torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"),
        ):
            self._found = work(self._pixels)

    def replay(self, batch: Tensor) -> T:
        """The work's result for a batch in pinned memory or on the GPU, until the next replay; in the current stream."""
        with torch.inference_mode():
            self._pixels.copy_(batch, non_blocking=True)
            self._graph.replay()
        return self._found


class TorchCuda:
    """A network on a GPU. Copies and peaks of one batch overlap with the network's work on another.

    cuDNN chooses its algorithms by rules, not by timing, and only those with the same sums each time: otherwise two workers
    that measured different times would find different cells, in their last digits.

    Parameters
    ----------
    network : folded
    normalisation : of its input
    precision : of its body; its head is in float32
    """

    def __init__(self, network: Network, normalisation: Normalisation, *, precision: Precision) -> None:
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        prepared = PreparedNetwork(network, normalisation, device="cuda", precision=precision)
        torch.cuda.synchronize()  # other streams must see the weights
        gate = Gate()
        captures: Captures[Kind, BatchGraph[Candidates]] = Captures(gate, most=_MOST_GRAPHS)
        self._lanes: SimpleQueue[_Lane] = SimpleQueue()
        for _ in range(_LANES):
            self._lanes.put(_Lane(prepared, gate, captures))

    def maps(self, images: Images) -> FloatMaps:
        """(B, H, W, 3) uint8 RGB, H and W multiples of the stride → (B, C, H, W) float32 maps."""
        with self._lane() as lane:
            return lane.maps(images)

    def peaks(self, images: Images, settings: DecodeSettings) -> list[Peaks]:
        """The peaks of each tile of a batch, in px of its tile; with CCLS points and not maps come back from the GPU."""
        if not finds(settings):
            return self.peaks_and_maps(images, settings)[0]
        with self._lane() as lane:
            return lane.found(images, settings, peaks_of)

    def peaks_and_maps(self, images: Images, settings: DecodeSettings) -> tuple[list[Peaks], FloatMaps]:
        """The same peaks, and the maps that they were found in, all of which are copied from the GPU."""
        if not finds(settings):
            maps = self.maps(images)
            return [decode(one, settings) for one in maps], maps
        with self._lane() as lane:
            return lane.found(images, settings, _peaks_and_maps)

    @contextmanager
    def _lane(self) -> Iterator[_Lane]:
        lane = self._lanes.get()
        try:
            yield lane
        finally:
            self._lanes.put(lane)


class _Lane:
    """A stream, and a thread that feeds it: cuDNN plans each convolution anew for a thread that is new to it."""

    def __init__(
        self, network: PreparedNetwork, gate: Gate, captures: Captures[Kind, BatchGraph[Candidates]]
    ) -> None:
        self._network = network
        self._gate = gate
        self._captures = captures
        self._graphs: dict[Kind, BatchGraph[Candidates]] = {}
        self._staging = Staging(pinned=True)
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpu")

    def maps(self, images: Images) -> FloatMaps:
        return self._thread.submit(self._in_stream, partial(self._maps, images)).result()

    def found(
        self, images: Images, settings: DecodeSettings, fetch: Callable[[Candidates, DecodeSettings], T]
    ) -> T:
        """What `fetch` brings from the GPU of a batch's candidates; it waits for the stream."""
        return self._thread.submit(self._in_stream, partial(self._found, images, settings, fetch)).result()

    def _in_stream(self, work: Callable[[], T]) -> T:
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            return work()

    def _maps(self, images: Images) -> FloatMaps:
        with self._gate.shared():
            batch = self._staging.filled(images)
            found: FloatMaps = self._network(batch.to("cuda", non_blocking=True)).cpu().numpy()
        return found

    def _found(
        self, images: Images, settings: DecodeSettings, fetch: Callable[[Candidates, DecodeSettings], T]
    ) -> T:
        work = partial(self._candidates, settings=settings)
        graph = self._captures.graph(
            self._graphs, (images.shape, settings), partial(BatchGraph, work, images.shape, self._stream)
        )
        with self._gate.shared():
            batch = self._staging.filled(images)
            found = graph.replay(batch) if graph else work(batch.to("cuda", non_blocking=True))
            return fetch(found, settings)  # waits for the stream: what it used is free for the next batch

    def _candidates(self, pixels: Tensor, *, settings: DecodeSettings) -> Candidates:
        return candidates(self._network(pixels), settings)


def _peaks_and_maps(found: Candidates, settings: DecodeSettings) -> tuple[list[Peaks], FloatMaps]:
    maps: FloatMaps = found.maps.cpu().numpy()
    return peaks_of(found, settings), maps
