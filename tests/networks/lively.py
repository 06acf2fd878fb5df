"""Networks whose maps differ from px to px, for tests of what runs them."""

from typing import TypeVar

import torch
from torch import nn

from wsi_edt.networks.hrnet import HRNet
from wsi_edt.networks.network import Network

N = TypeVar("N", bound=Network)


def lively_network(maps: int = 3, *, stem_stride: int = 2) -> HRNet:
    """A small one, made alive; see `enliven`."""
    torch.manual_seed(0)
    return enliven(HRNet(18, maps=maps, theta=0.7, stem_stride=stem_stride))


def enliven(network: N) -> N:
    """The network in eval mode, with a strong head, and norms that have seen an image: folding has work to do."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.0)
        nn.init.normal_(norm.bias, std=0.1)
        norm.momentum = 1.0  # the statistics are this image's: what depends on it isn't lost on the way
    for name, parameter in network.head.named_parameters():
        nn.init.normal_(parameter, std=0.1 if name.endswith("weight") else 1.0)
    with torch.no_grad():
        network.train()(torch.randn(2, 3, 64, 64))
    for norm in norms:
        norm.momentum = 0.1
    return network.eval()
