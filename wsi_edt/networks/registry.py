"""The architectures by name. A new one is a file of its own, its options, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from wsi_edt.networks.hrnet_options import HRNetOptions, MHRNetOptions
from wsi_edt.networks.options import NetworkOptions

ARCHITECTURES: Mapping[str, type[NetworkOptions]] = {
    "m_hrnet": MHRNetOptions,  # the paper's
    "hrnet": HRNetOptions,
}
DEFAULT_ARCHITECTURE = "m_hrnet"
