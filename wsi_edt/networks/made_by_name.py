"""Architectures whose only options are those of the paper's comparison, made from one line of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, cast

from wsi_edt.errors import UsageError
from wsi_edt.networks.options import NetworkOptions

if TYPE_CHECKING:
    from wsi_edt.networks.network import Network

THETA = 0.7  # the paper's default (Fig. 10: 0.5 to 0.8 are good, 0 is unstable)
EXTRA = "networks"  # of pyproject.toml: what some networks need


def check_theta(options: NetworkOptions, theta: object) -> None:
    """Raise UsageError unless θ is a number from 0 (a plain convolution) to 1 (differences alone)."""
    if isinstance(theta, int | float) and not isinstance(theta, bool) and 0 <= theta <= 1:
        return
    raise UsageError(
        f"is {theta!r}", where="network.theta", remedy=f"{options.architecture} takes a number from 0 to 1"
    )


@dataclass(frozen=True, slots=True)
class NamedOptions:
    """An architecture without options.

    Attributes
    ----------
    architecture, stride : see `NetworkOptions`
    title : what a model's card calls the network
    place : of its class, "module:class" within `wsi_edt.networks`; called with the number of maps, and θ if it has MGA
    needs : the library of the extra `networks` that its class imports; empty if none
    """

    architecture: ClassVar[str]
    stride: ClassVar[int]
    place: ClassVar[str]
    name: ClassVar[str]
    needs: ClassVar[str]

    @property
    def title(self) -> str:
        """For example "U-CSRNet"."""
        return self.name

    def build(self, maps: int) -> Network:
        """The network with that many output maps and fresh weights."""
        return cast("Network", _class_at(self.place, self.architecture)(maps))

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _again, (self.architecture, ())


@dataclass(frozen=True, slots=True)
class NamedMGAOptions(NamedOptions):
    """An architecture whose first encoder layer is MGA.

    Attributes
    ----------
    theta : of its difference convolutions, from 0 (plain convolutions) to 1
    """

    theta: float = THETA

    def __post_init__(self) -> None:
        check_theta(self, self.theta)

    @property
    def title(self) -> str:
        """For example "M_U-Net", and θ where it isn't the paper's."""
        return self.name + ("" if self.theta == THETA else f" with θ = {self.theta:g}")

    def build(self, maps: int) -> Network:
        """The network with that many output maps and fresh weights."""
        return cast("Network", _class_at(self.place, self.architecture)(maps, theta=self.theta))

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _again, (self.architecture, (self.theta,))


def named(
    architecture: str, name: str, place: str, *, stride: int, mga: bool = False, needs: str = ""
) -> type[NetworkOptions]:
    """The options of a network: its names, where its class is, and whether it takes θ.

    Parameters
    ----------
    architecture : its name in configurations and models
    name : its name in print
    place : "module:class" within `wsi_edt.networks`
    stride : of its coarsest features, a divisor of 32
    mga : whether its first layer is MGA
    needs : the library of the extra `networks` that it takes, for example "monai"
    """
    base = NamedMGAOptions if mga else NamedOptions
    entries = {
        "__slots__": (),
        "architecture": architecture,
        "name": name,
        "place": place,
        "stride": stride,
        "needs": needs,
    }
    return cast("type[NetworkOptions]", type(f"Options_{architecture}", (base,), entries))


def _again(architecture: str, values: tuple[object, ...]) -> NetworkOptions:
    """Options from another process, whose class no module names."""
    from wsi_edt.networks.registry import ARCHITECTURES  # built with this module

    options: Any = ARCHITECTURES[architecture]
    return cast(NetworkOptions, options(*values))


def _class_at(place: str, architecture: str) -> type:
    module, _, name = place.partition(":")
    try:
        return cast("type", getattr(import_module(f"wsi_edt.networks.{module}"), name))
    except ImportError as error:
        if (error.name or "").startswith("wsi_edt"):
            raise
        gone = isinstance(error, ModuleNotFoundError)
        raise UsageError(
            f"needs {error.name}, which isn't installed" if gone else f"can't import what it needs: {error}",
            where=f"network {architecture}",
            remedy=f"pip install 'wsi-edt[{EXTRA}]'",
        ) from error
