"""The architectures by name. A new one is a file of its own and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from wsi_edt.networks.hrnet_options import HRNetOptions, MHRNetOptions
from wsi_edt.networks.options import NetworkOptions

_ALL: tuple[type[NetworkOptions], ...] = (
    MHRNetOptions,  # the paper's
    HRNetOptions,
)
ARCHITECTURES: Mapping[str, type[NetworkOptions]] = {options.architecture: options for options in _ALL}
DEFAULT_ARCHITECTURE = "m_hrnet"
