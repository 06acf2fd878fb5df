"""Losses, learning rates and averages, by hand."""

from typing import Self

import pytest
import torch
from torch import Tensor, nn

from wsi_edt.networks.hrnet import HRNet
from wsi_edt.networks.network import Network
from wsi_edt.training.config import Loss, Schedule
from wsi_edt.training.objective import inconsistency, losses
from wsi_edt.training.optimisation import Optimizer, WeightAverage, learning_rate, optimise


class StandIn(Network):
    """Returns what it is given."""

    stride = 32

    def body(self, x: Tensor) -> Tensor:
        return x

    @property
    def head(self) -> nn.Module:
        return nn.Identity()

    def folded(self) -> Self:
        return self

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_cosine_by_hand() -> None:
    schedule = Schedule(steps=102, warmup_steps=2, learning_rate=0.1)
    # Warm-up in two steps, the cosine's half way at step 52, its end at step 102.
    found = [round(learning_rate(schedule, step), 6) for step in (0, 1, 2, 52, 102)]
    assert found == [0.05, 0.1, 0.1, 0.05, 0.0]


def test_step_by_hand() -> None:
    schedule = Schedule(steps=30, warmup_steps=0, learning_rate=0.1, decay="step")
    assert [round(learning_rate(schedule, step), 6) for step in (0, 19, 20, 29)] == [0.1, 0.1, 0.01, 0.01]


def test_the_last_layer_moves_a_tenth_as_far() -> None:
    network = HRNet(4, maps=3, theta=0.7)
    optimizer = Optimizer(network, Schedule(weight_decay=0.0))
    before = {name: value.clone() for name, value in network.named_parameters()}
    optimizer.set_rate(0.01)
    # Of a sum every weight's gradient is 1, and Adam's first step is as long as its rate.
    norm = optimise(network, optimizer, torch.stack([p.sum() for p in network.parameters()]).sum())
    assert float(norm) == pytest.approx(sum(p.numel() for p in network.parameters()) ** 0.5, rel=1e-4)
    for name, value in network.named_parameters():
        step = 0.001 if name.startswith("to_maps.") else 0.01
        assert torch.allclose(before[name] - value, torch.tensor(step), rtol=1e-2), name


def test_squared_error_by_hand() -> None:
    # Four px of which one isn't asked: errors 0.5 (at a cell), 0.2, 0.1; and 0.4, which doesn't count.
    pixels = torch.tensor([[[[0.5, 0.2], [0.1, 0.4]]]])
    maps = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    weight = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
    plain = losses(StandIn(), pixels, maps, weight, settings=Loss())
    assert float(plain.total) == pytest.approx((0.25 + 0.04 + 0.01) / 4)
    assert float(plain.inconsistency) == 0
    weighted = losses(StandIn(), pixels, maps, weight, settings=Loss(cell_weight=3.0))
    assert float(weighted.total) == pytest.approx((4 * 0.25 + 0.04 + 0.01) / 4)


class FarSighted(StandIn):
    """A network that sees how much white a whole image has, and one px of it: maps depend on all that a crop holds."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x.mean(dim=(2, 3), keepdim=True)


def test_inconsistency_by_hand() -> None:
    # A crop of 320 px that is 1 at its outermost px row alone: mean 1 / 320. Its middle part of 192 px is all 0.
    pixels = torch.zeros(2, 3, 320, 320)
    pixels[:, :, 0] = 1
    network = FarSighted()
    assert float(inconsistency(network, pixels, network(pixels))) == pytest.approx((1 / 320) ** 2)
    assert float(inconsistency(StandIn(), pixels, pixels)) == 0
    maps, weight = torch.zeros_like(pixels), torch.zeros_like(pixels)
    total = losses(network, pixels, maps, weight, settings=Loss(consistency=2.0)).total
    assert float(total) == pytest.approx(2 * (1 / 320) ** 2)


class OneNorm(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1)


def test_average_by_hand() -> None:
    network = OneNorm()
    average = WeightAverage(network)
    averaged = average.network.norm
    assert isinstance(averaged, nn.BatchNorm1d) and averaged.num_batches_tracked is not None
    assert network.norm.num_batches_tracked is not None
    with torch.no_grad():
        network.norm.weight.fill_(11.0)
        network.norm.num_batches_tracked.fill_(7)
    average.update(ema_decay=0.9, step=1)  # early: a decay of 2 / 11, so 9 / 11 of the way from 1 to 11
    assert float(averaged.weight) == pytest.approx(1 + 10 * 9 / 11)
    assert int(averaged.num_batches_tracked) == 7
    with torch.no_grad():
        averaged.weight.fill_(1.0)
    average.update(ema_decay=0.9, step=10**6)
    assert float(averaged.weight) == pytest.approx(2.0)
    assert not average.network.training


class NoNorm(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))


def test_average_of_a_network_that_counts_nothing() -> None:
    network = NoNorm()
    average = WeightAverage(network)
    with torch.no_grad():
        network.scale.fill_(11.0)
    average.update(ema_decay=0.9, step=1)
    assert float(average.network.state_dict()["scale"]) == pytest.approx(1 + 10 * 9 / 11)
