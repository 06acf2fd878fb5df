"""torch as a runtime on a CPU, in a thread of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch

from wsi_edt.detection.compute import Precision
from wsi_edt.detection.runtimes.prepared import PreparedNetwork
from wsi_edt.detection.runtimes.runtime import FloatMaps, Images
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.networks import Normalisation
from wsi_edt.networks.network import Network


class TorchCpu:
    """A network on the CPU. Its peaks are found in the caller's thread, while the network has the next batch.

    torch's number of threads belongs to the thread that set it: a convolution that is the first thing another thread
    does takes all cores, and its sums are split otherwise. In one thread the network also never runs twice at once.

    Parameters
    ----------
    network : folded
    normalisation : of its input
    precision : of its body; its head is in float32
    threads : of its sums, which they change in their last bits
    """

    def __init__(
        self, network: Network, normalisation: Normalisation, *, precision: Precision, threads: int
    ) -> None:
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="network", initializer=torch.set_num_threads, initargs=(threads,)
        )
        self._network = self._thread.submit(
            PreparedNetwork, network, normalisation, device="cpu", precision=precision
        ).result()

    def maps(self, images: Images) -> FloatMaps:
        """(B, H, W, 3) uint8 RGB, H and W multiples of the stride → (B, C, H, W) float32 maps."""
        return self._thread.submit(self._maps, images).result()

    def peaks(self, images: Images, settings: DecodeSettings) -> list[Peaks]:
        """The peaks of each tile of a batch, in px of its tile."""
        return self.peaks_and_maps(images, settings)[0]

    def peaks_and_maps(self, images: Images, settings: DecodeSettings) -> tuple[list[Peaks], FloatMaps]:
        """The same peaks, and the maps that they were found in."""
        maps = self.maps(images)
        return [decode(one, settings) for one in maps], maps

    @torch.inference_mode()
    def _maps(self, images: Images) -> FloatMaps:
        found: FloatMaps = self._network(torch.from_numpy(images)).numpy()
        return found
