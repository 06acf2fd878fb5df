"""Which GPU belongs to which worker process of this machine: one each, in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wsi_edt.cluster.machine import Machine
from wsi_edt.errors import UsageError

_VISIBLE, _ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


def chosen_gpus(devices: Sequence[int] | None, machine: Machine) -> tuple[int, ...]:
    """The numbers of the GPUs that a run uses; none if it runs on the CPU.

    Parameters
    ----------
    devices : the numbers that were asked for; None for all
    machine : this one

    Raises
    ------
    UsageError
        If one of them isn't here or is named twice, or the run is on the CPU.
    """
    named = ",".join(map(str, devices or ()))
    if machine.compute.device != "cuda":
        if devices is not None:
            raise UsageError(
                f"--devices {named} names GPUs, but this run is on the CPU", remedy="leave --devices out"
            )
        return ()
    if devices is None:
        return tuple(range(machine.gpus))
    if not devices or len(set(devices)) < len(devices):
        raise UsageError(f"--devices {named} must name GPUs, each once (for example 0,2)")
    for device in devices:
        if not 0 <= device < machine.gpus:
            there = "one GPU, number 0" if machine.gpus == 1 else f"GPUs 0 to {machine.gpus - 1}"
            raise UsageError(
                f"--devices {named}: there is no GPU {device}", remedy=f"{machine.host} has {there}"
            )
    return tuple(devices)


def pinned_environments(gpus: Sequence[int], environment: Mapping[str, str]) -> list[dict[str, str]]:
    """What each worker's environment needs so that the worker sees its GPU and no other.

    Parameters
    ----------
    gpus : numbers as this process counts them
    environment : of this process; if it leaves only some GPUs visible, the numbers count those
    """
    visible = environment.get(_VISIBLE)
    if visible:
        names = [name.strip() for name in visible.split(",")]
        return [{_VISIBLE: names[gpu]} for gpu in gpus]
    # nvidia-smi's order; CUDA's own is the fastest first, and a user would get other GPUs than those named.
    order = environment.get(_ORDER, "PCI_BUS_ID")
    return [{_VISIBLE: str(gpu), _ORDER: order} for gpu in gpus]
