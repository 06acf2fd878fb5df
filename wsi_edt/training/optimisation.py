"""How weights move: AdamW, its learning rate over the steps, and the moving average that becomes the model."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from wsi_edt.networks.network import Network
from wsi_edt.training.config import Schedule

CLIP_NORM = 1.0  # of the gradient
# The last layer has no batch norm behind it: at the body's rate one step moves a map by 0.4, and the loss, which ends
# near 0.001, climbed again after 100 steps.
HEAD_FACTOR = 0.1
STEP_DECAY_FROM = 2 / 3  # of the steps: from here on a tenth


class Optimizer(torch.optim.AdamW):
    """AdamW with two groups, the network's body and its head, each with a `factor` of the rate.

    Parameters
    ----------
    network : its parameters are moved
    schedule : of the configuration
    """

    def __init__(self, network: Network, schedule: Schedule) -> None:
        head = list(network.head.parameters())
        in_head = {id(parameter) for parameter in head}
        body = [parameter for parameter in network.parameters() if id(parameter) not in in_head]
        groups = [{"params": body, "factor": 1.0}, {"params": head, "factor": HEAD_FACTOR}]
        on_gpu = head[0].is_cuda
        super().__init__(
            groups, lr=schedule.learning_rate, weight_decay=schedule.weight_decay, capturable=on_gpu
        )
        if on_gpu:  # a recorded step reads the rate from its place in memory, so it has to be a tensor
            for group in self.param_groups:
                group["lr"] = torch.tensor(schedule.learning_rate, device=head[0].device)

    def set_rate(self, rate: float) -> None:
        """Use this learning rate from now on."""
        for group in self.param_groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate * group["factor"])
            else:
                group["lr"] = rate * group["factor"]


def learning_rate(schedule: Schedule, step: int) -> float:
    """The rate of a step, counted from 0: a linear warm-up, then half a cosine down to zero, or one drop to a tenth."""
    if step < schedule.warmup_steps:
        return schedule.learning_rate * (step + 1) / schedule.warmup_steps
    if schedule.decay == "step":
        return schedule.learning_rate * (0.1 if step >= STEP_DECAY_FROM * schedule.steps else 1.0)
    done = (step - schedule.warmup_steps) / max(1, schedule.steps - schedule.warmup_steps)
    return schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def optimise(network: nn.Module, optimizer: Optimizer, loss: torch.Tensor) -> torch.Tensor:
    """Move the weights one step down the loss; returns the gradient's norm before it was clipped."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
    optimizer.step()
    return norm


class WeightAverage:
    """An exponential moving average of a network's weights and statistics.

    Attributes
    ----------
    network : a copy that holds the averages, in eval mode
    """

    def __init__(self, network: Network) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        # State dictionaries hold the tensors themselves, which training changes in place. Collecting them again, and moving
        # each by itself, would take a GPU as long as a tenth of a step.
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._averaged = [pair for pair in pairs if pair[0].dtype.is_floating_point]
        self._copied = [pair for pair in pairs if not pair[0].dtype.is_floating_point]

    @torch.no_grad()
    def update(self, *, ema_decay: float, step: int) -> None:
        """Follow the network after its `step`-th step: faster at first, when there is little to average."""
        decay = min(ema_decay, (1 + step) / (10 + step))
        kept, current = zip(*self._averaged, strict=True)
        torch._foreach_lerp_(kept, current, 1 - decay)  # as torch.optim.swa_utils does
        if self._copied:  # batch norms count their steps; networks without any have nothing to count
            counts, now = zip(*self._copied, strict=True)
            torch._foreach_copy_(counts, now)
