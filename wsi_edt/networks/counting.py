"""Counting what a network costs, in shapes alone: it takes no memory, and nothing is computed."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from wsi_edt.files import write_atomically
from wsi_edt.networks.catalogue import every_network
from wsi_edt.networks.cost import KEPT, KEPT_MAPS, TILE_PX, Cost
from wsi_edt.networks.network import Network
from wsi_edt.networks.spec import NetworkSpec, build_network


def counted(spec: NetworkSpec, *, tile_px: int = TILE_PX) -> Cost:
    """The parameters of a network of that kind, and its operations for a tile of `tile_px` × `tile_px` px.

    Raises
    ------
    UsageError
        If a library that the network is made with isn't installed.
    """
    network = _without_numbers(spec)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    folded = network.folded()
    image = torch.empty(1, 3, tile_px, tile_px, device="meta")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        folded.head(
            folded.body(image)
        )  # as `forward`, but for autocast, which torch lacks for the meta device
    return Cost(parameters, counter.get_total_flops())


def _without_numbers(spec: NetworkSpec) -> Network:
    """The network on torch's meta device, whose tensors have shapes alone."""
    try:
        with torch.device("meta"):
            return build_network(spec)
    except (RuntimeError, NotImplementedError):  # one whose making looks at numbers
        return build_network(spec).to("meta")


def write_kept() -> None:
    """Count every network and write costs.toml."""
    lines = [
        f"# Parameters, and FLOP of a tile of {TILE_PX} × {TILE_PX} px, with {KEPT_MAPS} maps; written by"
    ]
    lines.append("# `python -m wsi_edt.networks.counting`.")
    for options in every_network():
        spec = NetworkSpec(options, KEPT_MAPS)
        cost = counted(spec)
        lines.append(f'"{spec}" = [{cost.parameters}, {cost.flop}]')
    write_atomically(KEPT, ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    write_kept()
