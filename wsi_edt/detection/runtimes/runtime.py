"""What runs a network: a batch of images in, maps or peaks out. All of them may be called from several threads at once."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from wsi_edt.maps import DecodeSettings, Peaks

Images = npt.NDArray[np.uint8]
FloatMaps = npt.NDArray[np.float32]


class MapRunner(Protocol):
    """What makes maps of images: a runtime, a `Detector`, or a network in training (`wsi_edt.detection.whole_image`)."""

    def maps(self, images: Images) -> FloatMaps:
        """(B, H, W, 3) uint8 RGB, H and W multiples of the network's stride → (B, C, H, W) float32 maps."""
        ...


class Runtime(MapRunner, Protocol):
    """A folded network on its device."""

    def peaks(self, images: Images, settings: DecodeSettings) -> list[Peaks]:
        """The peaks of each tile of a batch, in px of its tile."""
        ...

    def peaks_and_maps(self, images: Images, settings: DecodeSettings) -> tuple[list[Peaks], FloatMaps]:
        """The same peaks, and the maps that they were found in; on a GPU maps take long to come back."""
        ...
