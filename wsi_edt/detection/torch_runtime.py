"""torch as a runtime: on a CPU in a thread of its own, on a GPU in streams side by side, with peaks found there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import torch
from torch import Tensor, nn

from wsi_edt.detection.choices import Precision
from wsi_edt.detection.device_peaks import device_peaks
from wsi_edt.detection.runtimes import FloatMaps, Images
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.networks import HRNet, Normalisation, normalised

_STREAMS = 2  # batches on a GPU: one computed, one copied


class TorchCpu:
    """A network on the CPU. Its peaks are found in the caller's thread, while the network has the next batch.

    torch's number of threads belongs to the thread that set it: a convolution that is the first thing another thread
    does takes all cores, and its sums are split otherwise. In one thread the network also never runs twice at once.

    Parameters
    ----------
    network : folded
    normalisation : of its input
    precision : of its body
    threads : of its sums, which they change in their last bits
    """

    def __init__(
        self, network: HRNet, normalisation: Normalisation, *, precision: Precision, threads: int
    ) -> None:
        self._normalisation = normalisation
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="network", initializer=torch.set_num_threads, initargs=(threads,)
        )
        self._network = self._thread.submit(_prepared, network, "cpu", precision).result()

    def maps(self, images: Images) -> FloatMaps:
        """(B, H, W, 3) uint8 RGB, H and W multiples of 32 → (B, C, H, W) float32 maps."""
        return self._thread.submit(self._maps, images).result()

    def peaks(self, images: Images, settings: DecodeSettings) -> list[Peaks]:
        """The peaks of each tile of a batch, in px of its tile."""
        return [decode(maps, settings) for maps in self.maps(images)]

    @torch.inference_mode()
    def _maps(self, images: Images) -> FloatMaps:
        found: FloatMaps = _run(self._network, torch.from_numpy(images), self._normalisation).numpy()
        return found


class TorchCuda:
    """A network on a GPU. Copies and peaks of one batch overlap with the network's work on another."""

    def __init__(self, network: HRNet, normalisation: Normalisation, *, precision: Precision) -> None:
        self._normalisation = normalisation
        self._network = _prepared(network, "cuda", precision)
        self._streams: SimpleQueue[torch.cuda.Stream] = SimpleQueue()
        for _ in range(_STREAMS):
            self._streams.put(torch.cuda.Stream())  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()  # other streams must see the weights

    @torch.inference_mode()
    def maps(self, images: Images) -> FloatMaps:
        """(B, H, W, 3) uint8 RGB, H and W multiples of 32 → (B, C, H, W) float32 maps."""
        with self._stream():
            found: FloatMaps = self._device_maps(images).cpu().numpy()
        return found

    @torch.inference_mode()
    def peaks(self, images: Images, settings: DecodeSettings) -> list[Peaks]:
        """The peaks of each tile of a batch, in px of its tile; points and not maps come back from the GPU."""
        with self._stream():
            return device_peaks(self._device_maps(images), settings)

    def _device_maps(self, images: Images) -> Tensor:
        pixels = torch.from_numpy(images).pin_memory().to("cuda", non_blocking=True)
        return _run(self._network, pixels, self._normalisation)

    @contextmanager
    def _stream(self) -> Iterator[None]:
        stream = self._streams.get()
        try:
            with torch.cuda.stream(stream):
                yield
        finally:
            self._streams.put(stream)


def _prepared(network: HRNet, device: str, precision: Precision) -> nn.Module:
    """The network there, channels last, its body in `precision` and its last layer in float32."""
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if precision == "bf16":
        network.bfloat16()
        network.to_maps.float()
    return network


def _run(network: nn.Module, pixels: Tensor, normalisation: Normalisation) -> Tensor:
    """(B, H, W, 3) uint8 → (B, C, H, W) float32 on the same device."""
    body = next(network.parameters()).dtype
    maps: Tensor = network(normalised(pixels, normalisation).to(body))
    return maps.float()
