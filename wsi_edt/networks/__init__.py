"""The networks. What is exported here needs no torch: it is imported where a network is built."""

from wsi_edt.networks.normalisation import IMAGENET, Normalisation
from wsi_edt.networks.spec import NetworkSpec, build_network

__all__ = ["IMAGENET", "NetworkSpec", "Normalisation", "build_network"]
