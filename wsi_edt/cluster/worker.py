"""What a worker does: a slide's path and a shard in, arrays of peaks out; never pixels in either direction."""

from __future__ import annotations

import platform
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from dask.system import CPU_COUNT

from wsi_edt.bundles import find_bundle
from wsi_edt.cluster.versions import Versions, difference, installed_versions
from wsi_edt.detection.compute import (
    Precision,
    RuntimeName,
    resolve_device,
    resolve_precision,
    resolve_runtime,
)
from wsi_edt.detection.detector import Detector
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.shards import detect_shard
from wsi_edt.errors import ModelError, UnknownModelError, UsageError, WsiEdtError
from wsi_edt.maps import DecodeSettings
from wsi_edt.run.settings import RunConfig
from wsi_edt.slides.grid import Shard
from wsi_edt.slides.kept import KeptSlides, SlideKey
from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.opening import open_slide

_READERS = 2  # threads; one reads faster than a CPU's network takes, the second hides a slow window
_KEPT_SLIDES = 8  # as many as read for four shards; each may hold 32 MiB of decoded tiles


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """What a worker builds its detector from, as the client resolved it; a worker obeys or refuses.

    Attributes
    ----------
    name, sha256 : of the model; the worker's copy must have these weights
    directory : where the client's copy lies; a worker on another machine falls back on the name
    versions : of the client's packages; the worker's must be the same
    """

    name: str
    sha256: str
    directory: Path
    decode: DecodeSettings
    runtime: RuntimeName
    device: str
    precision: Precision
    threads: int
    versions: Versions = field(default_factory=installed_versions)

    @classmethod
    def of(cls, config: RunConfig) -> Self:
        """What a run's settings ask of its workers."""
        cells = config.cells
        return cls(
            name=config.model_name,
            sha256=cells.model_sha256,
            directory=config.model_directory,
            decode=cells.decode,
            runtime=cells.runtime,
            device=cells.device,
            precision=cells.precision,
            threads=cells.threads,
        )


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard of one slide.

    Attributes
    ----------
    fingerprint : of the slide's file, see `store.fingerprint`
    mpp : µm per level-0 px for a slide that states none
    model_mpp : µm per model px, the frame of the shard's windows
    """

    path: SlidePath
    fingerprint: str
    mpp: float | None
    shard: Shard
    model_mpp: float
    batch_size: int
    detector: DetectorSpec


@dataclass(frozen=True, slots=True)
class ShardResult:
    """A shard's peaks, on the slide's model-px grid, and the worker's seconds for it, those that no other shard had."""

    peaks: TilePeaks
    seconds: float


def compute_shard(task: ShardTask) -> ShardResult:
    """Return the peaks of a shard: a pure function of the task, wherever it runs.

    Raises
    ------
    SlideError
        Where the slide can't be read.
    ModelError
        Where this worker can't do what the client resolved, or its GPU's memory is full.
    """
    begun = time.perf_counter()
    try:
        peaks = detect_shard(
            task.shard,
            detector_for(task.detector),
            path=task.path,
            mpp=task.model_mpp,
            batch_size=task.batch_size,
            readers=_READERS,
            opener=lambda path: _slides.lent(SlideKey(path, task.mpp, task.fingerprint)),
        )
    except torch.cuda.OutOfMemoryError as error:
        raise ModelError(
            f"the memory of the GPU of {platform.node()} is too small for its workers; give fewer --workers, or a smaller "
            "--batch-size or --tile-px"
        ) from error
    return ShardResult(peaks, _busy.since(begun))


_slides = KeptSlides(lambda key: open_slide(key.path, key.mpp), most=_KEPT_SLIDES)


class _Busy:
    """Shares a process's time out to its shards, which may overlap: what was one's until it ended is no other's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = 0.0

    def since(self, begun: float) -> float:
        """Seconds from `begun`, or from the end of the shard before if that is later, until now."""
        with self._lock:
            now = time.perf_counter()
            seconds = now - max(begun, self._ended)
            self._ended = now
        return seconds


_busy = _Busy()


@dataclass(frozen=True, slots=True)
class Hardware:
    """What one machine offers to a run that leaves the choice to us: see `hardware`.

    Attributes
    ----------
    gpus : that torch sees; 0 where the device is the CPU
    gpu_bytes : memory of the smallest of them
    """

    host: str
    cores: int
    device: str
    runtime: RuntimeName
    precision: Precision
    gpus: int = 0
    gpu_bytes: int = 0


def hardware(device: str, runtime: str, precision: str) -> Hardware:
    """Return what "auto" means on this machine, or what was asked for.

    Raises
    ------
    UsageError
        Where no such device, runtime or precision exists or is here.
    """
    chosen = resolve_device(device)
    if chosen == "cuda" and resolve_device("auto") != "cuda":
        raise UsageError(f"no CUDA device is available on {platform.node()}; pass --device cpu")
    gpus = torch.cuda.device_count() if chosen == "cuda" else 0
    runs_in = resolve_runtime(runtime, device=chosen)
    resolved = resolve_precision(precision, device=chosen, runtime=runs_in)
    memory = min((torch.cuda.get_device_properties(gpu).total_memory for gpu in range(gpus)), default=0)
    return Hardware(platform.node(), core_count(), chosen, runs_in, resolved, gpus, memory)


def core_count() -> int:
    """The processor cores that this process may use."""
    return int(CPU_COUNT)


def prepare_worker(spec: DetectorSpec) -> WsiEdtError | None:
    """Build this worker's detector ahead of the first shard; return what speaks against this worker, or None.

    Notes
    -----
    The error is returned, not raised: a scheduler that asks all its workers at once would report only one of them.
    """
    try:
        detector_for(spec)
    except UnknownModelError:
        return ModelError(
            f"worker {platform.node()} has no model {spec.name!r} at {spec.directory}; copy or mount its folder there"
        )
    except WsiEdtError as error:
        return type(error)(f"worker {platform.node()}: {error}")
    return None


_detectors: dict[DetectorSpec, Detector] = {}  # of this process: at most one is held
_loading = threading.Lock()


def detector_for(spec: DetectorSpec) -> Detector:
    """The detector of this process, of that kind, built at the first call.

    Raises
    ------
    ModelError
        Where the model isn't here, has other weights, or can't run as it was resolved.
    """
    with _loading:
        if spec not in _detectors:
            _detectors.clear()  # a worker that outlives a run drops the model of the run before
            _detectors[spec] = _load(spec)
        return _detectors[spec]


def _load(spec: DetectorSpec) -> Detector:
    # Again here, although all workers were asked at the start: one may have joined since.
    if (words := difference(installed_versions(), spec.versions)) is not None:
        raise ModelError(f"{platform.node()} has {words}; install the same versions there")
    bundle = find_bundle(str(spec.directory) if spec.directory.is_dir() else spec.name)
    if bundle.sha256 != spec.sha256:
        raise ModelError(
            f"the model {spec.name} has other weights here (sha256 {bundle.sha256[:12]}…, wanted {spec.sha256[:12]}…); "
            "install the same version of it"
        )
    return Detector.load(
        bundle,
        settings=spec.decode,
        device=spec.device,
        precision=spec.precision,
        threads=spec.threads,
        runtime=spec.runtime,
    )
