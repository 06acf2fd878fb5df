"""Models as files: read, verify, write, find by name."""

from wsi_edt.bundles.bundle import (
    DEFAULT_MODEL,
    Bundle,
    find_bundle,
    model_names,
    read_bundle,
    write_description,
)
from wsi_edt.bundles.weights import load_network, write_bundle

__all__ = [
    "DEFAULT_MODEL",
    "Bundle",
    "find_bundle",
    "load_network",
    "model_names",
    "read_bundle",
    "write_bundle",
    "write_description",
]
