"""A real but untrained bundle, for tests of what surrounds a model."""

from pathlib import Path

import torch

from wsi_edt.bundles import Bundle
from wsi_edt.bundles.weights import write_bundle
from wsi_edt.maps import DecodeSettings
from wsi_edt.networks import IMAGENET, NetworkSpec, build_network


def tiny_bundle(folder: Path, *, mpp: float = 0.5, threshold: float = 0.3) -> Bundle:
    """HRNet-w18 with random weights, seeded."""
    torch.manual_seed(0)
    spec = NetworkSpec.from_table({"architecture": "m_hrnet", "width": 18}, maps=3)
    bundle = Bundle(
        directory=folder,
        name="tiny",
        version="1",
        network=spec,
        normalisation=IMAGENET,
        model_mpp=mpp,
        halo_px=32,
        decode=DecodeSettings(("positive", "negative", "nucleus"), "sum", 11, threshold),
        sha256="",
        counts="nothing: it is not trained",
        licence="MIT",
        training={"command": "none"},
        metrics={"f1": 0.0},
    )
    return write_bundle(bundle, build_network(spec).state_dict())
