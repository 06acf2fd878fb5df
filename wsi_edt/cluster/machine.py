"""What one machine offers to a run."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from dask.system import CPU_COUNT

from wsi_edt.cluster.limits import refuse_tight_limits
from wsi_edt.cluster.memory import memory
from wsi_edt.detection.compute import Compute, ComputeOptions, resolve_compute


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, as a run's options see it.

    Attributes
    ----------
    cores : that this process may use
    compute : what the options mean there
    gpus : that torch sees; 0 if the device is the CPU
    gpu_bytes : memory of the smallest of them
    memory_bytes : that this process and its children may take; 0 if that isn't known
    """

    host: str
    cores: int
    compute: Compute
    gpus: int = 0
    gpu_bytes: int = 0
    memory_bytes: int = 0


def this_machine(options: ComputeOptions) -> Machine:
    """What the machine of this process offers; on a cluster, each worker is asked.

    Raises
    ------
    UsageError
        If there is no such device, runtime or precision, it isn't available here, or limits leave no room for it.
    """
    refuse_tight_limits()
    cores = core_count()
    compute = resolve_compute(options, cores=cores)
    if compute.device != "cuda":
        return Machine(platform.node(), cores, compute, memory_bytes=memory().total)
    import torch  # the CPU with OpenVINO does without

    gpus = torch.cuda.device_count()
    smallest = min((torch.cuda.get_device_properties(gpu).total_memory for gpu in range(gpus)), default=0)
    return Machine(platform.node(), cores, compute, gpus, smallest, memory().total)


def core_count() -> int:
    """The processor cores that this process may use."""
    return int(CPU_COUNT)
