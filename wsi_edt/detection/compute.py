"""What computes a network: device, runtime, precision and threads as one value, and what "auto" means on this machine."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from wsi_edt.errors import UsageError

Device = Literal["cpu", "cuda"]
Precision = Literal["fp32", "bf16"]
RuntimeName = Literal["torch", "openvino"]

# Of one worker's network, unless asked otherwise. It is the same on every machine and for any number of workers, since
# sums that are split among another number of threads round differently: cells would change with the machine's cores.
THREADS = 2


@dataclass(frozen=True, slots=True)
class ComputeOptions:
    """What a user asks for; "auto" and None leave the choice to the machine that computes.

    Attributes
    ----------
    device : "auto", "cpu" or "cuda"
    runtime : "auto", "torch" or "openvino"
    precision : "auto", "fp32" or "bf16"
    threads : of each worker's network
    """

    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Compute:
    """What computes a network, decided once: whoever gets it obeys or refuses.

    Attributes
    ----------
    precision : of the network's body; its head stays in float32
    threads : of the network on a CPU. How torch splits a sum among threads changes its last bits; OpenVINO splits none
    """

    device: Device
    runtime: RuntimeName
    precision: Precision
    threads: int


def resolve_compute(options: ComputeOptions, *, cores: int) -> Compute:
    """What the options mean on this machine.

    Parameters
    ----------
    cores : that this process may use

    Raises
    ------
    UsageError
        If there is no such device, runtime or precision, or it isn't available here.
    """
    device = resolve_device(options.device)
    runtime = resolve_runtime(options.runtime, device=device)
    precision = resolve_precision(options.precision, device=device, runtime=runtime)
    threads = min(THREADS, cores) if options.threads is None else options.threads
    return Compute(device, runtime, precision, threads)


_X86_64 = ("x86_64", "amd64")


def resolve_device(device: str) -> Device:
    """The device that "auto" means here, or the one named.

    Raises
    ------
    UsageError
        If there is no such device, or no GPU here.
    """
    if device == "cpu":
        return "cpu"
    if device not in ("auto", "cuda"):
        raise UsageError(f"there is no device {device!r}", remedy="choose auto, cpu or cuda")
    import torch  # takes seconds, and --help needs this file's names alone

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise UsageError(f"no CUDA device is available on {platform.node()}", remedy="pass --device cpu")
    return "cpu"


def resolve_runtime(runtime: str, *, device: Device) -> RuntimeName:
    """The runtime that "auto" means on that device, or the one named: OpenVINO on x86-64 processors, else torch.

    Raises
    ------
    UsageError
        If there is no such runtime, it isn't installed, or it doesn't run on the device.
    """
    if runtime == "torch":
        return "torch"
    if runtime not in ("auto", "openvino"):
        raise UsageError(f"there is no runtime {runtime!r}", remedy="choose auto, torch or openvino")
    installed = find_spec("openvino") is not None
    if runtime == "auto":
        suits = device == "cpu" and platform.machine().lower() in _X86_64
        return "openvino" if suits and installed else "torch"
    if device != "cpu":
        raise UsageError(
            f"--runtime openvino only runs on the CPU, not on {device}", remedy="pass --runtime torch"
        )
    if not installed:
        raise UsageError(
            f"OpenVINO isn't installed on {platform.node()}",
            remedy="`pip install openvino`, or pass --runtime torch",
        )
    return "openvino"


def resolve_precision(precision: str, *, device: Device, runtime: RuntimeName = "torch") -> Precision:
    """The precision that "auto" means there, or the one named: bf16 where the hardware multiplies in it.

    Raises
    ------
    UsageError
        If there is no such precision, or OpenVINO would silently use another; torch emulates bfloat16.
    """
    if precision == "auto":
        import torch

        if device == "cuda":
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
        capabilities = torch.cpu.get_capabilities()
        multiplies = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
        return "bf16" if multiplies and (runtime == "torch" or _openvino_has_bf16()) else "fp32"
    if precision == "fp32":
        return "fp32"
    if precision == "bf16":
        if runtime == "openvino" and not _openvino_has_bf16():
            raise UsageError(
                f"OpenVINO doesn't compute in bf16 on the processor of {platform.node()}",
                remedy="pass --precision fp32, or --runtime torch, which emulates it slowly",
            )
        return "bf16"
    raise UsageError(f"there is no precision {precision!r}", remedy="choose auto, fp32 or bf16")


def _openvino_has_bf16() -> bool:
    # Here, because it takes half a second and needn't be installed.
    from wsi_edt.detection.runtimes.openvino_cpu import computes_in_bf16

    return computes_in_bf16()
