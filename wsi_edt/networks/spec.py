"""What a network is built from, as a value that needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from wsi_edt.errors import UsageError
from wsi_edt.networks.options import NetworkOptions
from wsi_edt.networks.registry import ARCHITECTURES, DEFAULT_ARCHITECTURE

if TYPE_CHECKING:
    from wsi_edt.networks.network import Network


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """An architecture with its options, and the number of its output maps.

    Raises
    ------
    UsageError
        If there is less than one map.
    """

    options: NetworkOptions
    maps: int

    def __post_init__(self) -> None:
        if self.maps < 1:
            raise UsageError(f"a network has at least one map, not {self.maps}")

    @classmethod
    def from_table(cls, table: Mapping[str, object], *, maps: int) -> Self:
        """What a ``[network]`` table of a model or a configuration describes; entries that it lacks have their defaults.

        Raises
        ------
        UsageError
            If there is no such architecture, or it has no such option or value.
        """
        entries = dict(table)
        name = entries.pop("architecture", DEFAULT_ARCHITECTURE)
        if not isinstance(name, str) or name not in ARCHITECTURES:
            raise UsageError(
                f"is {name!r}",
                where="network.architecture",
                remedy=f"choose one of {', '.join(ARCHITECTURES)}",
            )
        options: Any = ARCHITECTURES[name]
        known = [field.name for field in fields(options)]
        unknown = next((entry for entry in entries if entry not in known), None)
        if unknown is not None:
            raise UsageError(
                f"isn't an option of {name}",
                where=f"network.{unknown}",
                remedy=f"{name} has {', '.join(['architecture', *known])}",
            )
        return cls(options(**entries), maps)

    def to_table(self) -> dict[str, Any]:
        """The ``[network]`` table, with every entry; the number of maps stands elsewhere."""
        options: Any = self.options
        return {"architecture": self.architecture, **asdict(options)}

    @property
    def architecture(self) -> str:
        """Its name in configurations and models."""
        return self.options.architecture

    @property
    def stride(self) -> int:
        """The sides of images in px are multiples of this."""
        return self.options.stride

    def __str__(self) -> str:
        options: Any = self.options
        entries = ", ".join(f"{name} {value}" for name, value in asdict(options).items())
        return f"{self.architecture} ({entries})"


def build_network(spec: NetworkSpec) -> Network:
    """A network of that kind with fresh weights; imports torch."""
    return spec.options.build(spec.maps)
