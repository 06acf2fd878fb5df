"""Models as files: find, read, verify, describe, without torch; `wsi_edt.bundles.weights` builds their networks with it."""

from wsi_edt.bundles.bundle import (
    DEFAULT_MODEL,
    Bundle,
    find_bundle,
    model_names,
    read_bundle,
    write_description,
)

__all__ = [
    "DEFAULT_MODEL",
    "Bundle",
    "find_bundle",
    "model_names",
    "read_bundle",
    "write_description",
]
