"""A model at work: a batch of tiles in, peaks out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from wsi_edt.bundles import Bundle, load_network
from wsi_edt.detection.compute import Compute
from wsi_edt.detection.runtimes.runtime import Runtime
from wsi_edt.errors import ModelError
from wsi_edt.maps import DecodeSettings, Peaks
from wsi_edt.networks import HRNet, folded


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A network at work, with the settings that turn its maps into peaks. Several threads may use it at once.

    Attributes
    ----------
    runtime : runs the network
    settings : how its maps become peaks
    """

    runtime: Runtime
    settings: DecodeSettings

    @classmethod
    def load(
        cls,
        bundle: Bundle,
        *,
        settings: DecodeSettings,
        compute: Compute,
    ) -> Detector:
        """The bundle's verified network, ready to run.

        Parameters
        ----------
        bundle : the model
        settings : how its maps become peaks; the bundle's own, or with another threshold
        compute : what computes it

        Raises
        ------
        ModelError
            Where the weights aren't the model's, or no such device is here.
        """
        if compute.device == "cuda" and not torch.cuda.is_available():
            raise ModelError("no CUDA device is available to torch here", remedy="choose the device cpu")
        network = folded(load_network(bundle))
        assert isinstance(network, HRNet)
        return cls(_runtime(network, bundle, compute), settings)

    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(B, H, W, 3) uint8 RGB at the model's µm/px, H and W multiples of 32 → (B, C, H, W) float32 maps."""
        return self.runtime.maps(images)

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        """The peaks of each tile of a batch (B, H, W, 3) uint8, in px of its tile."""
        return self.runtime.peaks(images, self.settings)


def _runtime(network: HRNet, bundle: Bundle, compute: Compute) -> Runtime:
    # Each is imported where it is wanted: OpenVINO takes half a second, and needn't be installed.
    if compute.runtime == "openvino":
        from wsi_edt.detection.runtimes.openvino_cpu import OpenVino

        return OpenVino(network, bundle.normalisation, precision=compute.precision, threads=compute.threads)
    if compute.device == "cuda":
        from wsi_edt.detection.runtimes.torch_cuda import TorchCuda

        return TorchCuda(network, bundle.normalisation, precision=compute.precision)
    from wsi_edt.detection.runtimes.torch_cpu import TorchCpu

    return TorchCpu(network, bundle.normalisation, precision=compute.precision, threads=compute.threads)
