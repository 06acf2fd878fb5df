"""What "auto" means on this machine: which device, which runtime, which precision."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from typing import Literal

import torch

from wsi_edt.errors import UsageError

Precision = Literal["fp32", "bf16"]
RuntimeName = Literal["torch", "openvino"]

_X86_64 = ("x86_64", "amd64")


def resolve_device(device: str) -> str:
    """The device that "auto" means here, else the one named."""
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"no device is called {device!r}; choose auto, cpu or cuda")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def resolve_runtime(runtime: str, *, device: str) -> RuntimeName:
    """The runtime that "auto" means on that device, else the one named: OpenVINO on x86-64 processors, else torch.

    Raises
    ------
    UsageError
        Where there is no such runtime, it isn't installed, or doesn't run on the device.
    """
    if runtime == "torch":
        return "torch"
    if runtime not in ("auto", "openvino"):
        raise UsageError(f"no runtime is called {runtime!r}; choose auto, torch or openvino")
    installed = find_spec("openvino") is not None
    if runtime == "auto":
        suits = device == "cpu" and platform.machine().lower() in _X86_64
        return "openvino" if suits and installed else "torch"
    if device != "cpu":
        raise UsageError(f"--runtime openvino runs on the CPU alone, not on {device}; pass --runtime torch")
    if not installed:
        raise UsageError(
            f"OpenVINO isn't installed on {platform.node()}; `pip install openvino`, or pass --runtime torch"
        )
    return "openvino"


def resolve_precision(precision: str, *, device: str, runtime: RuntimeName = "torch") -> Precision:
    """The precision that "auto" means there, else the one named: bf16 where the hardware multiplies in it.

    Raises
    ------
    UsageError
        Where there is no such precision, or OpenVINO would take another without a word: torch emulates bfloat16.
    """
    if precision == "auto":
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
                f"OpenVINO doesn't compute in bf16 on the processor of {platform.node()}; pass --precision fp32, or "
                "--runtime torch, which emulates it slowly"
            )
        return "bf16"
    raise UsageError(f"no precision is called {precision!r}; choose auto, fp32 or bf16")


def _openvino_has_bf16() -> bool:
    # Here, because it takes half a second and needn't be installed.
    from wsi_edt.detection.openvino_runtime import computes_in_bf16

    return computes_in_bf16()
