"""Whether the model is whole and runs, as a run would run it here."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wsi_edt.bundles import DEFAULT_MODEL, find_bundle
from wsi_edt.cluster.worker import Hardware, hardware
from wsi_edt.cluster.workers import THREADS, local_worker_count
from wsi_edt.detection.detector import Detector
from wsi_edt.doctor.findings import Finding, Level

_TILE_PX = 256


def model(name_or_folder: str | None) -> Iterator[Finding]:
    """The model's files, what "auto" means here, and whether the two go together.

    Raises
    ------
    ModelError
        Where there is no such model, or its files aren't whole.
    """
    bundle = find_bundle(name_or_folder or DEFAULT_MODEL)
    bundle.verify()
    yield Finding(
        "model",
        Level.OK,
        f"{bundle.name} {bundle.version} is whole (sha256 {bundle.sha256[:12]}…), in {bundle.directory}",
    )
    machine = hardware("auto", "auto", "auto")
    threads = min(THREADS, machine.cores)
    detector = Detector.load(
        bundle,
        settings=bundle.decode,
        device=machine.device,
        precision=machine.precision,
        threads=threads,
        runtime=machine.runtime,
    )
    maps = detector.maps(np.full((1, _TILE_PX, _TILE_PX, 3), 255, np.uint8))
    if not np.isfinite(maps).all():
        yield Finding(
            "network",
            Level.PROBLEM,
            f"{bundle.name} gives no finite numbers with {words(machine)}; pass --precision fp32 or --runtime torch",
        )
        return
    workers = local_worker_count(machine, None)
    each = "" if machine.device == "cuda" else f" with {threads} thread{'' if threads == 1 else 's'} each"
    yield Finding(
        "network",
        Level.OK,
        f"a tile ran: {words(machine)}; {workers} worker{'' if workers == 1 else 's'}{each}",
    )


def words(machine: Hardware) -> str:
    """What "auto" means on a machine."""
    name = {"torch": "torch", "openvino": "OpenVINO"}[machine.runtime]
    return f"--runtime auto is {name}, --precision auto is {machine.precision}, --device auto is {machine.device}"
