"""What an architecture brings: options of its own, checked and readable without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from wsi_edt.errors import UsageError

if TYPE_CHECKING:
    from wsi_edt.networks.network import Network


class NetworkOptions(Protocol):
    """The options of one architecture: a frozen dataclass whose fields are the entries of ``[network]``, with defaults.

    Attributes
    ----------
    architecture : its name in configurations and models
    stride : px of the image that one px of its coarsest features spans; images' sides are multiples of it
    """

    architecture: ClassVar[str]
    stride: ClassVar[int]

    @property
    def title(self) -> str:
        """What a model's card calls the network."""
        ...

    def build(self, maps: int) -> Network:
        """The network with that many output maps and fresh weights; imports torch."""
        ...


def check_choice(options: NetworkOptions, entry: str, value: object, known: Sequence[int]) -> None:
    """Raise UsageError unless `value` is one of the whole numbers that `entry` of ``[network]`` may have."""
    if type(value) is int and value in known:
        return
    *others, last = map(str, known)
    raise UsageError(
        f"is {value!r}",
        where=f"network.{entry}",
        remedy=f"{options.architecture} takes {', '.join(others)} or {last}",
    )
