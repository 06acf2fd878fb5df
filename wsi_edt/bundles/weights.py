"""A bundle's weights: written at half precision, read into its network. safetensors only: nothing is unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from wsi_edt.bundles.bundle import Bundle, write_description
from wsi_edt.errors import ModelError
from wsi_edt.networks import HRNet, build_network


def write_bundle(bundle: Bundle, weights: Mapping[str, Tensor]) -> Bundle:
    """Write the description and the weights, floating-point ones at half precision; returns the bundle with its sha256."""
    bundle.directory.mkdir(parents=True, exist_ok=True)
    halves = {
        name: (value.half() if value.dtype.is_floating_point else value).detach().cpu().contiguous()
        for name, value in weights.items()
    }
    overflowed = [name for name, value in halves.items() if not torch.isfinite(value.float()).all()]
    if overflowed:
        raise ModelError(
            f"{overflowed[0]} of {bundle.name} doesn't fit half precision; train with less extreme weights"
        )
    save_file(halves, bundle.weights)
    bundle.weights.chmod(
        0o644
    )  # safetensors makes it readable for its owner alone, and so would be what a wheel installs
    written = replace(bundle, sha256=hashlib.sha256(bundle.weights.read_bytes()).hexdigest())
    write_description(written)
    return written


def load_network(bundle: Bundle) -> HRNet:
    """The bundle's network with its verified weights, float32, in eval mode on the CPU."""
    bundle.verify()
    network = build_network(bundle.network)
    try:
        network.load_state_dict(load_file(bundle.weights))
    except (RuntimeError, OSError) as error:
        raise ModelError(f"{bundle.weights} doesn't fit {bundle.network}: {error}") from error
    return network.eval()
