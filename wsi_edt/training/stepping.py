"""One step of a training: forward, loss, backward, optimiser. On a GPU it is recorded once and replayed.

A step is some thousand small kernels. Python starts a hundred thousand of them a second at best, which for batches that a
GPU computes in 50 ms takes as long again; a recorded step (a CUDA graph) starts them all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from wsi_edt.training.batches import Batch
from wsi_edt.training.checkpoint import TrainingState
from wsi_edt.training.config import Loss
from wsi_edt.training.objective import losses
from wsi_edt.training.optimisation import optimise

STEPS_BEFORE_RECORDING = 3  # in which libraries choose their kernels and allocate memory


class Step(Protocol):
    """Moves the weights down the loss of its batch."""

    def __call__(self, *, rate: float) -> Tensor:
        """(3,) squared error, inconsistency and gradient norm, until the next step overwrites them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PlainStep:
    """A step, operation by operation.

    Attributes
    ----------
    state : its weights are moved
    batch : is filled again before each step
    loss : what is minimised
    mixed : whether the network's body computes in bfloat16
    """

    state: TrainingState
    batch: Batch
    loss: Loss
    mixed: bool

    def __call__(self, *, rate: float) -> Tensor:
        """See `Step`."""
        self.state.optimizer.set_rate(rate)
        return self.at_rate()

    def at_rate(self) -> Tensor:
        """The step at the rate that the optimiser has."""
        state, batch = self.state, self.batch
        # Without autocast's cache: a replay wouldn't compute again what was cached while recording.
        with torch.autocast(
            batch.pixels.device.type, torch.bfloat16, enabled=self.mixed, cache_enabled=False
        ):
            found = losses(state.network, batch.pixels, batch.maps, batch.weight, settings=self.loss)
        norm = optimise(state.network, state.optimizer, found.total)
        return torch.stack([found.maps.detach(), found.inconsistency.detach(), norm.detach()]).float()


class RecordedStep:
    """A step on a GPU: the first few are made one by one, the next is recorded, and from then on the record is replayed.

    Parameters
    ----------
    step : to record
    note : is told if it can't be recorded; then all steps are made one by one
    """

    def __init__(self, step: PlainStep, *, note: Callable[[str], None]) -> None:
        self._step, self._note = step, note
        self._made, self._records = 0, True
        self._graph: torch.cuda.CUDAGraph | None = None
        self._found = torch.zeros(())

    def __call__(self, *, rate: float) -> Tensor:
        """See `Step`."""
        self._step.state.optimizer.set_rate(rate)
        if self._records and self._graph is None and self._made >= STEPS_BEFORE_RECORDING:
            self._record()
        self._made += 1
        if self._graph is not None:
            self._graph.replay()
            return self._found
        # Recording requires that earlier work isn't in the default stream.
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            found = self._step.at_rate()
        torch.cuda.current_stream().wait_stream(stream)
        return found

    def _record(self) -> None:
        optimizer = self._step.state.optimizer
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._found = self._step.at_rate()
        except RuntimeError as error:
            self._records = False
            optimizer.zero_grad(set_to_none=True)
            self._note(f"steps can't be recorded on this GPU and take longer: {str(error).splitlines()[0]}")
            return
        self._graph = graph


def build_step(
    state: TrainingState, batch: Batch, loss: Loss, *, mixed: bool, note: Callable[[str], None]
) -> Step:
    """The step for the device that holds the batch."""
    plain = PlainStep(state, batch, loss, mixed)
    return RecordedStep(plain, note=note) if batch.pixels.device.type == "cuda" else plain
