"""A model at work: a batch of tiles in, peaks out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from wsi_edt.bundles import Bundle, load_network
from wsi_edt.errors import ModelError, UsageError
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.networks import HRNet, Normalisation, folded, normalised

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A folded network on its device, with the settings that turn its maps into peaks.

    Attributes
    ----------
    network : the folded network, channels last, its body in `precision` and its last layer in float32
    normalisation : of its input
    settings : how its maps become peaks
    device : where it runs
    """

    network: nn.Module
    normalisation: Normalisation
    settings: DecodeSettings
    device: torch.device

    @classmethod
    def load(
        cls, bundle: Bundle, *, settings: DecodeSettings, device: str, precision: Precision, threads: int
    ) -> Detector:
        """The bundle's verified network, ready to run.

        Parameters
        ----------
        bundle : the model
        settings : how its maps become peaks; the bundle's own, or with another threshold
        device : "cpu" or "cuda"
        precision : of the network's body
        threads : of the network on a CPU. Set for the whole process: how a sum is split among threads changes its last bits
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise ModelError("no CUDA device is available to torch here; choose the device cpu")
        torch.set_num_threads(threads)
        network = folded(load_network(bundle)).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if precision == "bf16":
            assert isinstance(network, HRNet)
            network.bfloat16()
            network.to_maps.float()
        return cls(network, bundle.normalisation, settings, torch.device(device))

    @torch.inference_mode()
    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(B, H, W, 3) uint8 RGB at the model's µm/px, H and W multiples of 32 → (B, C, H, W) float32 maps."""
        batch = normalised(torch.from_numpy(images).to(self.device), self.normalisation)
        body = next(self.network.parameters()).dtype
        return self.network(batch.to(body)).float().cpu().numpy()  # type: ignore[no-any-return]

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        """The peaks of each tile of a batch (B, H, W, 3) uint8, in px of its tile."""
        return [decode(maps, self.settings) for maps in self.maps(images)]


def resolve_device(device: str) -> str:
    """The device that "auto" means here, else the one named."""
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"no device is called {device!r}; choose auto, cpu or cuda")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def resolve_precision(precision: str, *, device: str) -> Precision:
    """The precision that "auto" means on that device, else the one named: bf16 where the hardware multiplies in it."""
    if precision == "auto":
        if device == "cuda":
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
        capabilities = torch.cpu.get_capabilities()
        return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "fp32"
    if precision == "fp32":
        return "fp32"
    if precision == "bf16":
        return "bf16"
    raise UsageError(f"no precision is called {precision!r}; choose auto, fp32 or bf16")
