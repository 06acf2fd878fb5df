"""The networks by name."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.errors import ModelError
from wsi_edt.networks.hrnet import HRNet

ARCHITECTURES = ("m_hrnet", "hrnet")
WIDTHS = (18, 32, 48)
STEM_STRIDES = (2, 1)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What a network is built from: its architecture, its width, how many maps it gives, and its first layer's stride."""

    architecture: str
    width: int
    maps: int
    stem_stride: int = 2

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ModelError(
                f"no network is called {self.architecture!r}; known are {', '.join(ARCHITECTURES)}"
            )
        if self.width not in WIDTHS:
            raise ModelError(
                f"{self.architecture} has no width {self.width}; known are {', '.join(map(str, WIDTHS))}"
            )
        if self.maps < 1:
            raise ModelError(f"a network gives at least one map, not {self.maps}")
        if self.stem_stride not in STEM_STRIDES:
            raise ModelError(
                f"{self.architecture} has no stem of stride {self.stem_stride}; known are "
                f"{', '.join(map(str, STEM_STRIDES))}"
            )


def build_network(spec: NetworkSpec) -> HRNet:
    """A network of that kind with fresh weights."""
    return HRNet(spec.width, maps=spec.maps, mga=spec.architecture == "m_hrnet", stem_stride=spec.stem_stride)
