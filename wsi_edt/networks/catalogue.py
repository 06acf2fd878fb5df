"""Every network that can be trained, in each size that publications have of it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from wsi_edt.networks.hrnet_options import WIDTHS, HRNetOptions
from wsi_edt.networks.made_by_name import EXTRA, NamedOptions
from wsi_edt.networks.options import NetworkOptions
from wsi_edt.networks.registry import ARCHITECTURES


def every_network() -> Iterator[NetworkOptions]:
    """The options of each architecture: its defaults, and HRNet's three widths. Needs no torch."""
    for options in ARCHITECTURES.values():
        if issubclass(options, HRNetOptions):
            yield from (options(width=width) for width in WIDTHS)
        else:
            yield options()


def missing_library(options: NetworkOptions) -> str:
    """What the network needs and what to install, as a sentence; empty if all is there. Needs no torch."""
    library = options.needs if isinstance(options, NamedOptions) else ""
    if not library or find_spec(library) is not None:
        return ""
    return f"needs {library}, which isn't installed; pip install 'wsi-edt[{EXTRA}]'"
