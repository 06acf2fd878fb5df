"""A training's state as one safetensors file: nothing is pickled, and a kill leaves the last whole one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from wsi_edt.errors import ModelError

OPTIMIZER_SLOTS = ("exp_avg", "exp_avg_sq", "step")


def save_checkpoint(
    path: Path,
    network: nn.Module,
    *,
    average: nn.Module,
    optimizer: torch.optim.AdamW,
    step: int,
    description: str,
) -> None:
    """Write the state after `step` steps, atomically. `description` is the configuration that made it, as JSON."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{slot}": state[slot] for slot in OPTIMIZER_SLOTS}
    partial = path.with_suffix(".partial")
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_file(contiguous, partial, metadata={"step": str(step), "description": description})
    partial.replace(path)


def load_checkpoint(
    path: Path, network: nn.Module, *, average: nn.Module, optimizer: torch.optim.AdamW, description: str
) -> int:
    """Restore the state and return how many steps it has seen; ModelError where another configuration made it."""
    tensors, metadata = _read(path)
    if metadata.get("description") != description:
        raise ModelError(
            f"{path} belongs to another configuration; train into an empty folder or restore the old file"
        )
    network.load_state_dict(_with_prefix(tensors, "network."))
    average.load_state_dict(_with_prefix(tensors, "average."))
    state = optimizer.state_dict()
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    state["state"] = {
        number: {slot: tensors[f"optimizer.{number}.{slot}"] for slot in OPTIMIZER_SLOTS}
        for number in numbers
    }
    optimizer.load_state_dict(state)
    return int(metadata["step"])


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a checkpoint gives a model.

    Attributes
    ----------
    weights : the averaged network's: what is validated and shipped
    description : the configuration that made them, as JSON
    step : how many steps they have seen
    """

    weights: Mapping[str, Tensor]
    description: str
    step: int


def read_trained(path: Path) -> Trained:
    """The averaged weights of a checkpoint; ModelError where the file is torn or something else."""
    tensors, metadata = _read(path)
    if "description" not in metadata or "step" not in metadata:
        raise ModelError(f"{path} is not a training checkpoint: it says nothing of its configuration")
    return Trained(_with_prefix(tensors, "average."), metadata["description"], int(metadata["step"]))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except Exception as error:  # safetensors raises its own kinds for a torn or foreign file
        raise ModelError(f"{path} can't be read as a training checkpoint: {error}") from error


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
