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
    """The network in eval mode; its batch norms have seen something, so that folding has work to do, its head is strong."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 1.0, 3.0)
    for name, parameter in network.head.named_parameters():
        nn.init.normal_(parameter, std=0.1 if name == "weight" else 1.0)
    return network.eval()
