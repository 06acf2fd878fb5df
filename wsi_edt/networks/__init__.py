"""The networks: difference convolution and MGA, HRNet and M_HRNet, one registry."""

from wsi_edt.networks.difference import MGA, DifferenceConv2d
from wsi_edt.networks.folding import folded
from wsi_edt.networks.hrnet import HRNet
from wsi_edt.networks.normalisation import IMAGENET, Normalisation, normalised
from wsi_edt.networks.registry import NetworkSpec, build_network

__all__ = [
    "IMAGENET",
    "MGA",
    "DifferenceConv2d",
    "HRNet",
    "NetworkSpec",
    "Normalisation",
    "build_network",
    "folded",
    "normalised",
]
