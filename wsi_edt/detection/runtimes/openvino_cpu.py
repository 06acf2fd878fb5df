"""OpenVINO as a runtime on CPUs: each tile by itself on one thread, as many tiles at once as there are threads.

No tile's result depends on the others or on the number of threads, and no thread waits for another within a layer. A
window of 512 px took 0.6 s of an AVX2 core here, torch's channels-last float32 between 0.9 and 1.3 s.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import openvino

from wsi_edt.bundles import Bundle
from wsi_edt.detection.compute import Precision
from wsi_edt.detection.runtimes.openvino_graph import openvino_graphs
from wsi_edt.detection.runtimes.runtime import FloatMaps, Images
from wsi_edt.errors import ModelError
from wsi_edt.maps import DecodeSettings, Peaks, decode

T = TypeVar("T")

_HINTS = {"fp32": "f32", "bf16": "bf16"}
_MOST_SHAPES = 4  # that stay compiled: a run's tiles have one, whole images may each have their own


def computes_in_bf16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVino:
    """A network on the CPU.

    Parameters
    ----------
    bundle : the model
    precision : of its body; its head is in float32
    threads : tiles that are computed at a time

    Raises
    ------
    ModelError
        If this processor doesn't compute in that precision: OpenVINO would take float32 without a word; or if the weights
        aren't the bundle's.
    """

    def __init__(self, bundle: Bundle, *, precision: Precision, threads: int) -> None:
        if precision == "bf16" and not computes_in_bf16():
            raise ModelError(
                "OpenVINO doesn't compute in bf16 on this processor", remedy="choose the precision fp32"
            )
        graphs = openvino_graphs(bundle, split=precision != "fp32")
        precisions: Sequence[Precision] = ("fp32",) if precision == "fp32" else (precision, "fp32")
        self._parts = list(zip(graphs, precisions, strict=True))
        self._threads = threads
        # One more than there are streams: while one finds peaks in Python, no stream waits.
        self._callers = ThreadPoolExecutor(threads + 1, thread_name_prefix="openvino")
        self._own = threading.local()
        self._compiling = threading.Lock()
        self._compiled: dict[tuple[int, int], list[openvino.CompiledModel]] = {}
        # The binding makes its table of types at first use, and two threads that are first wait for each other for ever.
        openvino.Type.u8.to_dtype()

    def maps(self, images: Images) -> FloatMaps:
        """(B, H, W, 3) uint8 RGB, H and W multiples of the stride → (B, C, H, W) float32 maps."""
        return np.stack(list(self._callers.map(self._tile_maps, images)))

    def peaks(self, images: Images, settings: DecodeSettings) -> list[Peaks]:
        """The peaks of each tile of a batch, in px of its tile."""
        return list(self._callers.map(lambda image: decode(self._tile_maps(image), settings), images))

    def peaks_and_maps(self, images: Images, settings: DecodeSettings) -> tuple[list[Peaks], FloatMaps]:
        """The same peaks, and the maps that they were found in."""

        def found(image: Images) -> tuple[Peaks, FloatMaps]:
            maps = self._tile_maps(image)
            return decode(maps, settings), maps

        peaks, maps = zip(*self._callers.map(found, images), strict=True)
        return list(peaks), np.stack(maps)

    def _tile_maps(self, image: Images) -> FloatMaps:
        """(H, W, 3) uint8 → (C, H, W) float32, which the thread's next tile overwrites unless it is copied."""
        value = image[None]
        for request in self._requests((image.shape[0], image.shape[1])):
            request.infer([value], share_inputs=True)
            value = request.get_output_tensor().data
        return np.array(value[0], np.float32)

    def _requests(self, shape: tuple[int, int]) -> list[openvino.InferRequest]:
        """The calling thread's own, for tiles of that shape."""
        own: dict[tuple[int, int], list[openvino.InferRequest]] = self._own.__dict__.setdefault(
            "requests", {}
        )
        if shape not in own:
            _make_room(own)
            own[shape] = [model.create_infer_request() for model in self._models(shape)]
        return own[shape]

    def _models(self, shape: tuple[int, int]) -> list[openvino.CompiledModel]:
        with self._compiling:
            if shape not in self._compiled:
                _make_room(self._compiled)
                models = []
                size = [1, *shape, 3]
                for graph, precision in self._parts:
                    graph.reshape(size)
                    models.append(self._compile(graph, precision))
                    size = list(graph.output(0).shape)
                self._compiled[shape] = models
            return self._compiled[shape]

    def _compile(self, graph: openvino.Model, precision: Precision) -> openvino.CompiledModel:
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": self._threads,
            "INFERENCE_NUM_THREADS": self._threads,
            "ENABLE_CPU_PINNING": False,  # several workers would pin their threads to the same cores
        }
        return openvino.Core().compile_model(graph, "CPU", settings)


def _make_room(held: dict[tuple[int, int], T]) -> None:
    """Drop the oldest of as many shapes as may be held."""
    if len(held) >= _MOST_SHAPES:
        del held[next(iter(held))]
