"""A bundle's weights: written at half precision, read into its network. safetensors only: nothing is unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from wsi_edt.bundles.bundle import DESCRIPTION, WEIGHTS, Bundle, arriving_name, write_description
from wsi_edt.errors import ModelError
from wsi_edt.files import remove, sync, write_atomically, writing
from wsi_edt.networks import build_network
from wsi_edt.networks.network import Network


def write_bundle(bundle: Bundle, weights: Mapping[str, Tensor]) -> Bundle:
    """Write the description and the weights, floating-point ones at half precision; returns the bundle with its sha256.

    A model that is there is replaced at one moment, when the description is: a kill leaves the old one or the new.

    Raises
    ------
    ModelError
        If a weight is too large for half precision.
    """
    content = save(as_written(weights, where=bundle.name))
    written = replace(bundle, sha256=hashlib.sha256(content).hexdigest())
    arriving = bundle.directory / arriving_name(written.sha256)
    write_atomically(arriving, content)
    write_description(written)
    with writing(bundle.directory / WEIGHTS):
        arriving.replace(bundle.directory / WEIGHTS)
        sync(bundle.directory)
    for left in bundle.directory.glob(arriving_name("?" * 12)):  # by a kill
        remove(left)
    return written


def as_written(weights: Mapping[str, Tensor], *, where: object) -> dict[str, Tensor]:
    """Weights as a model's file holds them: floating-point ones at half precision.

    Raises
    ------
    ModelError
        If a weight is too large for it; `where` says whose.
    """
    halves = {
        name: (value.half() if value.dtype.is_floating_point else value).detach().cpu().contiguous()
        for name, value in weights.items()
    }
    overflowed = [name for name, value in halves.items() if not torch.isfinite(value.float()).all()]
    if overflowed:
        raise ModelError(
            f"has values in {overflowed[0]} that don't fit half precision",
            where=where,
            remedy="train with a lower learning rate",
        )
    return halves


def load_network(bundle: Bundle) -> Network:
    """The bundle's network with its verified weights, float32, in eval mode on the CPU.

    Raises
    ------
    ModelError
        If the weights aren't the bundle's, or don't fit its network.
    """
    bundle.verify()
    network = build_network(bundle.network)
    try:
        network.load_state_dict(load_file(bundle.weights))
    except (
        RuntimeError,
        OSError,
        SafetensorError,
    ) as error:  # torch lists each layer, which a user can do nothing about
        raise ModelError(
            f"doesn't hold the weights of {bundle.network}, which {DESCRIPTION} describes",
            where=bundle.weights,
            remedy="correct [network] there, or install the model again",
        ) from error
    return network.eval()
