"""The model that a training starts from: its weights, as far as its maps are those that are trained."""

from __future__ import annotations

from torch import Tensor, nn

from wsi_edt.bundles.bundle import Bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.errors import ModelError
from wsi_edt.networks import IMAGENET
from wsi_edt.networks.network import Network
from wsi_edt.training.config import TrainConfig


def start_from(init: Bundle, network: Network, config: TrainConfig) -> None:
    """Give a fresh network the weights of a model of the same architecture; maps that the model lacks start fresh.

    Raises
    ------
    ModelError
        If the configuration describes another network, or the model's input is normalised otherwise.
    """
    if init.network.options != config.spec.options:
        raise ModelError(
            f"is {init.network}, but the configuration asks for {config.spec}",
            where=init.name,
            remedy="give [network] the model's values",
        )
    if init.normalisation != IMAGENET:
        raise ModelError(
            "has a normalisation of its own, and training uses ImageNet's",
            where=init.name,
            remedy="start from another model, or from random weights",
        )
    trained = load_network(init)
    if init.decode.maps == config.maps.names:
        network.load_state_dict(trained.state_dict())
        return
    if not isinstance(network.head, nn.Conv2d | nn.ConvTranspose2d):
        raise ModelError(
            f"has the maps {', '.join(init.decode.maps)}, and {config.spec.architecture} can't exchange them",
            where=init.name,
            remedy="give maps.names the model's value",
        )
    prefix = next(name for name, module in network.named_modules() if module is network.head)
    body = {name: value for name, value in trained.state_dict().items() if not name.startswith(f"{prefix}.")}
    head = _head_with_known_maps(network, trained, config.maps.names, init.decode.maps)
    network.load_state_dict(body | {f"{prefix}.{entry}": value for entry, value in head.items()})


def _head_with_known_maps(
    network: Network, trained: Network, wanted: tuple[str, ...], known: tuple[str, ...]
) -> dict[str, Tensor]:
    """The fresh head's weights, and the trained one's for maps that it knows."""
    head: dict[str, Tensor] = network.head.state_dict()
    across = 1 if isinstance(network.head, nn.ConvTranspose2d) else 0  # the axis of a weight that counts maps
    for entry, value in trained.head.state_dict().items():
        axis = across if entry == "weight" else 0
        for place, name in enumerate(wanted):
            if name in known:
                head[entry].select(axis, place).copy_(value.select(axis, known.index(name)))
    return head
