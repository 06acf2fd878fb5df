"""Hover-Net's parameters and blocks against MONAI's, and the finer levels that reach the decoder."""

from itertools import chain

import pytest
import torch
from monai.networks.nets.hovernet import HoVerNet
from torch import Tensor, nn

from tests.networks.lively import enliven
from wsi_edt.networks.hover_net import HoverNet


@pytest.fixture(scope="module")
def published() -> HoVerNet:
    """MONAI's, with the publication's 5×5 kernels; lively."""
    torch.manual_seed(0)
    network = HoVerNet(mode="original", np_out_channels=2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            assert module.running_var is not None
            nn.init.uniform_(module.running_var, 1.0, 3.0)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> HoverNet:
    torch.manual_seed(0)
    return enliven(HoverNet(2))


def values(*modules: nn.Module) -> list[Tensor]:
    return list(chain.from_iterable(module.state_dict().values() for module in modules))


def copy(target: nn.Module, source: list[Tensor]) -> None:
    """In the order of the layers, whatever their names."""
    names = target.state_dict().keys()
    target.load_state_dict(dict(zip(names, source, strict=True)))


def test_parameters(network: HoverNet, published: HoVerNet) -> None:
    expected = sum(p.numel() for p in published.parameters())
    expected -= sum(p.numel() for p in published.horizontal_vertical.parameters())
    assert sum(p.numel() for p in network.parameters()) == expected
    assert expected == 35_313_090


def test_residual_group(network: HoverNet, published: HoVerNet) -> None:
    ours, theirs = network.groups[0], published.res_blocks[0]
    before = ours.state_dict()
    copy(ours, values(theirs.shortcut, theirs.layers, theirs.bna_block))
    x = torch.randn(1, 64, 8, 12)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x.clone()))
    ours.load_state_dict(before)


def test_dense_block_but_for_its_padding(network: HoverNet, published: HoVerNet) -> None:
    ours, theirs = network.blocks[1], published.nucleus_prediction.decoder_blocks[1]
    copy(ours, values(theirs))
    x = torch.randn(1, 512, 28, 24)
    reach = 2 * 5  # px: of the 5×5 convolutions of the beginning and of four dense units
    with torch.inference_mode():
        inner = ours(x)[..., reach:-reach, reach:-reach]
        torch.testing.assert_close(inner, theirs(x.clone()), rtol=1e-4, atol=1e-5)


def test_each_finer_level_is_added(network: HoverNet) -> None:
    """Where nothing comes from below, a block of the decoder sees its level of the encoder alone."""
    levels: list[Tensor] = []
    entered: list[Tensor] = []
    handles = [
        group.register_forward_hook(lambda _, __, level: levels.append(level)) for group in network.groups
    ]
    for block in network.blocks:
        handles.append(block.register_forward_pre_hook(lambda _, given: entered.append(given[0])))
        handles.append(block.register_forward_hook(lambda _, __, made: torch.zeros_like(made)))
    handles.append(network.narrow.register_forward_hook(lambda _, __, made: torch.zeros_like(made)))
    with torch.inference_mode():
        network(torch.randn(1, 3, 16, 24))
    for handle in handles:
        handle.remove()
    assert [level.shape[1:] for level in levels] == [(256, 16, 24), (512, 8, 12), (1024, 4, 6), (2048, 2, 3)]
    for level, sum_ in zip(levels[2::-1], entered, strict=True):
        torch.testing.assert_close(sum_, level)
