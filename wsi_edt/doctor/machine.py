"""What this machine offers a run: cores and memory, GPUs, disk space for results."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.doctor.findings import Finding, Level

_GIB = 2**30
_GPU_GIB = 4.0  # assumed: no GPU was at hand to measure on
# A million cells are 0.25 GB of GeoJSON, and a slide has up to several.
_SCARCE_DISK_GIB, _TOO_LITTLE_DISK_GIB = 5.0, 0.1


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as torch sees it; memory in GiB."""

    name: str
    total: float
    free: float


def processor() -> Iterator[Finding]:
    """The cores that this process may use, and the memory."""
    from wsi_edt.cluster.local import local_worker_count
    from wsi_edt.cluster.machine import this_machine
    from wsi_edt.cluster.memory import memory
    from wsi_edt.detection.compute import ComputeOptions

    machine = this_machine(ComputeOptions())
    workers = local_worker_count(machine)
    found = memory()
    yield judge_memory(machine.cores, workers=workers, total=found.total / _GIB, free=found.free / _GIB)


def judge_memory(cores: int, *, workers: int, total: float, free: float) -> Finding:
    """Whether the memory that may be taken (in GiB) is enough for the workers that a run would start."""
    from wsi_edt.cluster.local import BYTES_PER_WORKER

    each = BYTES_PER_WORKER / _GIB
    found = f"{cores} core{'' if cores == 1 else 's'} usable, {total:.1f} GiB of memory, {free:.1f} free"
    fitting = int(free // each)
    if fitting >= workers:
        return Finding("processor", Level.OK, found)
    if fitting >= 1:
        remedy = f"runs would start {workers} workers: pass --workers {fitting}"
        return Finding("processor", Level.WARNING, f"{found}; {remedy}")
    return Finding("processor", Level.WARNING, f"{found}; end other programs, a worker needs {each:g} GiB")


def graphics() -> Iterator[Finding]:
    """The GPUs, or why there are none."""
    import torch

    if not os.environ.get(
        "CUDA_VISIBLE_DEVICES"
    ):  # the numbers are then those of nvidia-smi, as in --devices
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    gpus = []
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        gpus.append(Gpu(torch.cuda.get_device_name(number), total / _GIB, free / _GIB))
    driver = shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()
    yield judge_gpus(gpus, torch_version=torch.__version__, cuda=torch.version.cuda, driver=driver)


def judge_gpus(gpus: Sequence[Gpu], *, torch_version: str, cuda: str | None, driver: bool) -> Finding:
    """Whether torch can use the GPUs of this machine.

    Parameters
    ----------
    cuda : the version that torch was built for; None for a build without CUDA
    driver : whether NVIDIA's driver is installed
    """
    if gpus:
        found = ", ".join(
            f"{number}: {gpu.name}, {gpu.free:.0f} of {gpu.total:.0f} GiB free"
            for number, gpu in enumerate(gpus)
        )
        full = [str(number) for number, gpu in enumerate(gpus) if gpu.free < _GPU_GIB]
        if not full:
            return Finding("GPUs", Level.OK, found)
        return Finding(
            "GPUs",
            Level.WARNING,
            f"{found}; GPU {', '.join(full)} is nearly full: pass --devices with the others",
        )
    if not driver:
        return Finding("GPUs", Level.OK, "none; runs use the CPU")
    if cuda is None:
        return Finding(
            "GPUs",
            Level.WARNING,
            f"NVIDIA's driver is here, but torch {torch_version} is built without CUDA; "
            "install a CUDA build of torch (pytorch.org says how)",
        )
    return Finding(
        "GPUs",
        Level.WARNING,
        f"NVIDIA's driver is here, but torch {torch_version} (CUDA {cuda}) finds no GPU; "
        "check nvidia-smi, CUDA_VISIBLE_DEVICES and whether the driver is new enough",
    )


def disk(out: Path) -> Iterator[Finding]:
    """The space where results would be written.

    Raises
    ------
    UsageError
        If nothing can be written there.
    """
    from wsi_edt.results.lock import refuse_unusable_out

    refuse_unusable_out(out)
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    yield judge_disk(there.absolute(), free=shutil.disk_usage(there).free / _GIB)


def judge_disk(folder: Path, *, free: float) -> Finding:
    """Whether the free space (in GiB) is enough."""
    found = f"{free:.1f} GiB free at {folder}"
    if free >= _SCARCE_DISK_GIB:
        return Finding("disk", Level.OK, found)
    level = Level.WARNING if free >= _TOO_LITTLE_DISK_GIB else Level.PROBLEM
    return Finding("disk", level, f"{found}; free some space, or choose another --out")
