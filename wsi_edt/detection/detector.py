"""A model at work: a batch of tiles in, peaks out."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.bundles import Bundle
from wsi_edt.detection.compute import Compute
from wsi_edt.detection.runtimes.runtime import FloatMaps, Images, Runtime
from wsi_edt.errors import ModelError
from wsi_edt.maps import DecodeSettings, Peaks


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
    def load(cls, bundle: Bundle, *, settings: DecodeSettings, compute: Compute) -> Detector:
        """The bundle's verified network, ready to run.

        Parameters
        ----------
        bundle : the model
        settings : how its maps become peaks; the bundle's own, or with another threshold
        compute : what computes it

        Raises
        ------
        ModelError
            If the weights aren't the bundle's, or the device or precision isn't available here.
        """
        return cls(_runtime(bundle, compute), settings)

    def maps(self, images: Images) -> FloatMaps:
        """(B, H, W, 3) uint8 RGB at the model's µm/px, H and W multiples of its stride → (B, C, H, W) float32 maps."""
        return self.runtime.maps(images)

    def detect(self, images: Images) -> list[Peaks]:
        """The peaks of each tile of a batch (B, H, W, 3) uint8, in px of its tile."""
        return self.runtime.peaks(images, self.settings)

    def detect_with_maps(self, images: Images) -> tuple[list[Peaks], FloatMaps]:
        """The same peaks, and the maps (B, C, H, W) float32 that they were found in; the network runs once."""
        return self.runtime.peaks_and_maps(images, self.settings)


def _runtime(bundle: Bundle, compute: Compute) -> Runtime:
    # Each is imported if it is wanted: torch and OpenVINO take seconds, and OpenVINO needn't be installed.
    if compute.runtime == "openvino":
        from wsi_edt.detection.runtimes.openvino_cpu import OpenVino

        return OpenVino(bundle, precision=compute.precision, threads=compute.threads)

    import torch

    from wsi_edt.bundles.weights import load_network

    if compute.device == "cuda" and not torch.cuda.is_available():
        raise ModelError("no CUDA device is available to torch here", remedy="choose the device cpu")
    network = load_network(bundle).folded()
    if compute.device == "cuda":
        from wsi_edt.detection.runtimes.torch_cuda import TorchCuda

        return TorchCuda(network, bundle.normalisation, precision=compute.precision)
    from wsi_edt.detection.runtimes.torch_cpu import TorchCpu

    return TorchCpu(network, bundle.normalisation, precision=compute.precision, threads=compute.threads)
