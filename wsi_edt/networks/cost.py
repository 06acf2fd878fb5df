"""What a network costs: its parameters, and its floating-point operations for a tile.

Counting takes torch and a second or two for each network, so that the costs of all of them are kept in costs.toml, which
`wsi-edt models` reads at once. After a change to a network:

    python -m wsi_edt.networks.counting
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wsi_edt.networks.spec import NetworkSpec

TILE_PX = 512
KEPT_MAPS = 3  # of the networks whose costs are kept, as the shipped model has them
KEPT = Path(__file__).with_name("costs.toml")


@dataclass(frozen=True, slots=True)
class Cost:
    """The size of a network.

    Attributes
    ----------
    parameters : trained numbers, before anything is folded; batch norms' running statistics aren't among them
    flop : of one tile of 512 × 512 px at inference, with MGA and batch norms folded into plain convolutions: those of
        convolutions and matrix products, a multiplication with its addition as two. Publications often count it as one
    """

    parameters: int
    flop: int


def cost_of(spec: NetworkSpec) -> Cost:
    """The cost that is kept; of a network with other options or maps it is counted, which imports torch.

    Raises
    ------
    UsageError
        If it has to be counted, and a library that the network is made with isn't installed.
    """
    kept = _kept().get(str(spec)) if spec.maps == KEPT_MAPS else None
    if kept is not None:
        return kept
    from wsi_edt.networks.counting import counted

    return counted(spec)


@cache
def _kept() -> dict[str, Cost]:
    entries = tomllib.loads(KEPT.read_text(encoding="utf-8"))
    return {name: Cost(parameters, flop) for name, (parameters, flop) in entries.items()}
