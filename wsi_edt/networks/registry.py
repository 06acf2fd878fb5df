"""The networks by name."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.errors import ModelError
from wsi_edt.networks.hrnet import HRNet

ARCHITECTURES = ("m_hrnet", "hrnet")
WIDTHS = (18, 32, 48)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What a network is built from: its architecture, its width and how many maps it gives."""

    architecture: str
    width: int
    maps: int

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


def build_network(spec: NetworkSpec) -> HRNet:
    """A network of that kind with fresh weights."""
    return HRNet(spec.width, maps=spec.maps, mga=spec.architecture == "m_hrnet")
