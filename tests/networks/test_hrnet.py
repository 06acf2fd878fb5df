"""HRNet's size from the published architecture, its maps' shape, and folded against unfolded."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.networks.lively import lively_network
from wsi_edt.networks.hrnet import HRNet


def conv_norm(inputs: int, outputs: int, kernel: int) -> int:
    """Parameters of a convolution without bias and its batch norm."""
    return inputs * outputs * kernel**2 + 2 * outputs


def published_parameters(width: int, maps: int, *, mga: bool) -> int:
    """Counted from the description of HRNetV2 (Sun et al. 2019, §3 and Table 1) and of the paper's stem and head (§3.3)."""
    # MGA: 1×1 3 → 16, four 3×3 16 → 16, batch norm of 64.
    first = 3 * 16 + 4 * 16 * 16 * 9 + 2 * 64 if mga else conv_norm(3, 64, 3)
    stem = first + conv_norm(64, 64, 3)
    bottleneck = conv_norm(64, 64, 3) + conv_norm(64, 256, 1)
    stage1 = (conv_norm(64, 64, 1) + bottleneck + conv_norm(64, 256, 1)) + 3 * (
        conv_norm(256, 64, 1) + bottleneck
    )
    total = stem + stage1
    total += conv_norm(256, width, 3) + conv_norm(256, 2 * width, 3)
    for branches, modules in ((2, 1), (3, 4), (4, 3)):
        channels = [width * 2**branch for branch in range(branches)]
        module = sum(4 * 2 * conv_norm(c, c, 3) for c in channels)
        for target in range(branches):
            for source in range(branches):
                if source > target:
                    module += conv_norm(channels[source], channels[target], 1)
                elif source < target:
                    module += (target - source - 1) * conv_norm(channels[source], channels[source], 3)
                    module += conv_norm(channels[source], channels[target], 3)
        total += modules * module
        if branches < 4:
            total += conv_norm(channels[-1], 2 * channels[-1], 3)
    head = conv_norm(15 * width, 64, 1) + conv_norm(64, 64, 4) + (64 * maps * 16 + maps)
    return total + head


@pytest.mark.parametrize("mga", [True, False])
@pytest.mark.parametrize(("width", "millions"), [(18, 9.7), (32, 29.4), (48, 65.5)])
def test_parameters(width: int, millions: float, mga: bool) -> None:
    network = HRNet(width, maps=3, theta=0.7 if mga else None)
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == published_parameters(width, 3, mga=mga)
    assert found / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize("maps", [1, 3])
def test_maps_have_the_images_size(maps: int) -> None:
    network = lively_network(maps)
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 96)).shape == (2, maps, 64, 96)


@pytest.mark.parametrize("stem_stride", [2, 1])
def test_folded_gives_the_same_maps(stem_stride: int) -> None:
    network = lively_network(stem_stride=stem_stride).double()
    x = torch.randn(1, 3, 96, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    plain = network.folded()
    assert not [m for m in plain.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.inference_mode():
        expected = network(x)
        assert expected.std() > 0
        torch.testing.assert_close(plain(x), expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


def test_coarse_branches_continue_their_edges() -> None:
    branches = HRNet(18, maps=1, theta=None).get_submodule("stages.2.0.branches").children()
    modes = [{m.padding_mode for m in branch.modules() if isinstance(m, nn.Conv2d)} for branch in branches]
    assert modes == [{"zeros"}, {"zeros"}, {"replicate"}, {"replicate"}]


def test_the_head_runs_in_its_own_precision() -> None:
    network = lively_network().folded()
    network.bfloat16()
    network.head.float()
    with torch.inference_mode():
        maps = network(torch.randn(1, 3, 64, 64).bfloat16())
    assert maps.dtype == torch.float32
    # bfloat16 has 8 bits: rounded maps would equal themselves after a round trip through it.
    assert not torch.equal(maps, maps.bfloat16().float())


def gflop(stem_stride: int) -> float:
    """Of one tile of 512 px, counted on a sixteenth of it: two for each multiplication of convolutions."""
    network = HRNet(18, maps=3, theta=0.7, stem_stride=stem_stride).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 128, 128))
    return float(counter.get_total_flops()) * 16 / 1e9


def test_full_resolution_costs_a_fifth_more() -> None:
    # The design's own count: 39 GFLOP, and 20 % more at full resolution. A body at 1/2 would cost four times as much.
    assert gflop(2) == pytest.approx(39, abs=1)
    assert gflop(1) / gflop(2) == pytest.approx(1.2, abs=0.03)


def test_full_resolution_layer_sees_every_px() -> None:
    for theta in (0.7, None):
        network = HRNet(18, maps=1, theta=theta, stem_stride=1)
        with torch.inference_mode():
            assert network.stem[0](torch.zeros(1, 3, 32, 64)).shape == (1, 64, 32, 64)
            assert network.stem(torch.zeros(1, 3, 32, 64)).shape == (1, 64, 8, 16)
