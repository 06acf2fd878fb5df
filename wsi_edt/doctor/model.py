"""Whether the model is complete, and runs here as a run would use it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wsi_edt.bundles import DEFAULT_MODEL, find_bundle
from wsi_edt.cluster.local import local_worker_count
from wsi_edt.cluster.machine import this_machine
from wsi_edt.detection.compute import Compute, ComputeOptions
from wsi_edt.detection.detector import Detector
from wsi_edt.doctor.findings import Finding, Level

_TILE_PX = 256


def model(name_or_folder: str | None) -> Iterator[Finding]:
    """The model's files, what "auto" means here, and whether the two work together.

    Raises
    ------
    ModelError
        If there is no such model, or its files are incomplete or damaged.
    """
    bundle = find_bundle(name_or_folder or DEFAULT_MODEL)
    bundle.verify()
    yield Finding(
        "model",
        Level.OK,
        f"{bundle.name} {bundle.version} is complete (sha256 {bundle.sha256[:12]}…), in {bundle.directory}",
    )
    machine = this_machine(ComputeOptions())
    compute = machine.compute
    detector = Detector.load(bundle, settings=bundle.decode, compute=compute)
    maps = detector.maps(np.full((1, _TILE_PX, _TILE_PX, 3), 255, np.uint8))
    if not np.isfinite(maps).all():
        yield Finding(
            "network",
            Level.PROBLEM,
            f"{bundle.name} doesn't compute finite numbers: {words(compute)}; pass --precision fp32 or --runtime torch",
        )
        return
    workers, threads = local_worker_count(machine), compute.threads
    each = "" if compute.device == "cuda" else f" with {threads} thread{'' if threads == 1 else 's'} each"
    yield Finding(
        "network",
        Level.OK,
        f"a tile ran: {words(compute)}; {workers} worker{'' if workers == 1 else 's'}{each}",
    )


def words(compute: Compute) -> str:
    """What "auto" means on a machine."""
    name = {"torch": "torch", "openvino": "OpenVINO"}[compute.runtime]
    return f"--runtime auto is {name}, --precision auto is {compute.precision}, --device auto is {compute.device}"
