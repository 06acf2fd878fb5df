"""A training's state as safetensors files: nothing is pickled, and after a kill the last whole files are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from wsi_edt.errors import ModelError
from wsi_edt.files import write_atomically
from wsi_edt.networks import build_network
from wsi_edt.networks.network import Network
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.optimisation import Optimizer, WeightAverage
from wsi_edt.training.provenance import Provenance

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
OPTIMIZER_SLOTS = ("exp_avg", "exp_avg_sq", "step")
# One entry of the files' metadata: safetensors writes several in any order, and equal trainings should end in equal bytes.
HEADER = "wsi_edt_training"


class Header(BaseModel):
    """What a file says about itself.

    Attributes
    ----------
    step : how many steps its weights have seen
    provenance : where they come from
    f1 : what they reach on the validation images; only in the best
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    provenance: Provenance
    f1: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """What a step changes.

    Attributes
    ----------
    network : what is trained
    average : the moving average of its weights, which is validated and becomes the model
    optimizer : of the network's weights
    """

    network: Network
    average: WeightAverage
    optimizer: Optimizer


def save_checkpoint(path: Path, state: TrainingState, *, step: int, provenance: Provenance) -> None:
    """Write the state after `step` steps, whole or not at all."""
    tensors = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    tensors |= _average(state)
    for number, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{slot}": slots[slot] for slot in OPTIMIZER_SLOTS}
    _write(path, tensors, Header(step=step, provenance=provenance))


def save_best(path: Path, state: TrainingState, *, step: int, f1: float, provenance: Provenance) -> None:
    """Write only the averaged weights, with the F1 that they reached on the validation images."""
    _write(path, _average(state), Header(step=step, provenance=provenance, f1=f1))


def load_checkpoint(path: Path, state: TrainingState) -> Header:
    """Restore the state of a training of the same network; ModelError if the file is cut off."""
    tensors, header = _read(path)
    state.network.load_state_dict(_with_prefix(tensors, "network."))
    state.average.network.load_state_dict(_with_prefix(tensors, "average."))
    entries = state.optimizer.state_dict()
    numbers = [number for group in entries["param_groups"] for number in group["params"]]
    entries["state"] = {
        number: {slot: tensors[f"optimizer.{number}.{slot}"] for slot in OPTIMIZER_SLOTS}
        for number in numbers
    }
    state.optimizer.load_state_dict(entries)
    return header


def read_header(path: Path) -> Header:
    """What a checkpoint says about itself; ModelError if it isn't one."""
    with _opened(path) as file:
        return _header(path, file.metadata())


def best_f1(path: Path) -> float:
    """The F1 of the best state so far; below 0 if there is none."""
    if not path.exists():
        return -1.0
    f1 = read_header(path).f1
    return -1.0 if f1 is None else f1


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a model takes from a checkpoint.

    Attributes
    ----------
    weights : the averaged network's, which are validated and shipped
    step : how many steps they have seen
    provenance : where they come from
    """

    weights: Mapping[str, Tensor]
    step: int
    provenance: Provenance


def read_trained(path: Path) -> Trained:
    """The averaged weights of a checkpoint, the last or the best; ModelError if the file is cut off or something else."""
    tensors, header = _read(path)
    return Trained(_with_prefix(tensors, "average."), header.step, header.provenance)


def network_of(config: TrainConfig, weights: Mapping[str, Tensor]) -> Network:
    """The network of a configuration with these weights, in eval mode on the CPU."""
    network = build_network(config.spec)
    network.load_state_dict(dict(weights))
    return network.eval()


def _average(state: TrainingState) -> dict[str, Tensor]:
    return {f"average.{name}": value for name, value in state.average.network.state_dict().items()}


def _write(path: Path, tensors: Mapping[str, Tensor], header: Header) -> None:
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_atomically(path, save(contiguous, {HEADER: header.model_dump_json()}))


def _read(path: Path) -> tuple[dict[str, Tensor], Header]:
    with _opened(path) as file:
        header = _header(path, file.metadata())
        return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(path, framework="pt")
    except Exception as error:  # safetensors raises its own kinds for a damaged or foreign file
        raise ModelError(
            f"is damaged, or isn't a training checkpoint: {error}",
            where=path,
            remedy="give the checkpoint.safetensors of a training, or train anew",
        ) from error


def _header(path: Path, metadata: Mapping[str, str] | None) -> Header:
    try:
        return Header.model_validate_json((metadata or {})[HEADER])
    except (KeyError, ValidationError) as error:
        raise ModelError(
            "isn't a checkpoint of this version: it doesn't say which training it belongs to", where=path
        ) from error


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
