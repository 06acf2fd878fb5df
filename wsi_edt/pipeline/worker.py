"""What a worker does: a slide's path and a shard in, arrays of peaks out; never pixels in either direction."""

from __future__ import annotations

import platform
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from dask.system import CPU_COUNT

import wsi_edt
from wsi_edt.bundles import find_bundle
from wsi_edt.detection import Detector, Precision, TilePeaks, detect_shard, resolve_device, resolve_precision
from wsi_edt.errors import ModelError, SlideError, UsageError, WsiEdtError
from wsi_edt.maps import DecodeSettings, Peaks
from wsi_edt.pipeline.config import RunConfig
from wsi_edt.slides.grid import Shard
from wsi_edt.slides.opening import open_slide

_READERS = 2  # threads; one reads faster than a CPU's network takes, the second hides a slow window


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """What a worker builds its detector from, as the client resolved it; a worker obeys or refuses.

    Attributes
    ----------
    name, sha256 : of the model; the worker's copy must have these weights
    directory : where the client's copy lies; a worker on another machine falls back on the name
    """

    name: str
    sha256: str
    directory: Path
    decode: DecodeSettings
    device: str
    precision: Precision
    threads: int

    @classmethod
    def of(cls, config: RunConfig) -> Self:
        """What a run's settings ask of its workers."""
        cells = config.cells
        return cls(
            name=config.model_name,
            sha256=cells.model_sha256,
            directory=config.model_directory,
            decode=cells.decode,
            device=cells.device,
            precision=cells.precision,
            threads=cells.threads,
        )


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard of one slide.

    Attributes
    ----------
    mpp : µm per level-0 px for a slide that states none
    model_mpp : µm per model px, the frame of the shard's windows
    """

    path: Path
    mpp: float | None
    shard: Shard
    model_mpp: float
    batch_size: int
    detector: DetectorSpec


@dataclass(frozen=True, slots=True)
class ShardResult:
    """A shard's peaks, on the slide's model-px grid, and the seconds that it took the worker."""

    peaks: TilePeaks
    seconds: float


def compute_shard(task: ShardTask) -> ShardResult:
    """Return the peaks of a shard: a pure function of the task, wherever it runs.

    Raises
    ------
    SlideError
        Where the slide can't be read.
    ModelError
        Where this worker can't do what the client resolved.
    """
    started = time.perf_counter()
    peaks = detect_shard(
        task.shard,
        network_for(task.detector),
        path=task.path,
        mpp=task.model_mpp,
        batch_size=task.batch_size,
        readers=_READERS,
        opener=partial(open_slide, mpp=task.mpp),
    )
    return ShardResult(peaks, time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Hardware:
    """What one machine offers to a run that leaves the choice to us: see `hardware`."""

    host: str
    cores: int
    device: str
    precision: Precision


def hardware(device: str, precision: str) -> Hardware:
    """Return what "auto" means on this machine, or what was asked for.

    Raises
    ------
    UsageError
        Where no such device or precision exists, or no CUDA device is here.
    """
    chosen = resolve_device(device)
    if chosen == "cuda" and resolve_device("auto") != "cuda":
        raise UsageError(f"no CUDA device is available on {platform.node()}; pass --device cpu")
    return Hardware(platform.node(), core_count(), chosen, resolve_precision(precision, device=chosen))


def core_count() -> int:
    """The processor cores that this process may use."""
    return int(CPU_COUNT)


def prepare_worker(spec: DetectorSpec, version: str, path: Path) -> WsiEdtError | None:
    """Build this worker's detector ahead of the first shard; return what speaks against this worker, or None.

    Parameters
    ----------
    version : of the client's wsi-edt
    path : of a slide that this worker must be able to see

    Notes
    -----
    The error is returned, not raised: a scheduler that asks all its workers at once would report only one of them.
    """
    host = platform.node()
    if version != wsi_edt.__version__:
        return ModelError(
            f"worker {host} has wsi-edt {wsi_edt.__version__}, this is {version}; install the same version there"
        )
    if not path.exists():
        return SlideError(f"worker {host} doesn't see {path}; mount the slides there under the same path")
    try:
        network_for(spec)
    except WsiEdtError as error:
        return type(error)(f"worker {host}: {error}")
    return None


class NetworkThread:
    """A detector that lives in a thread of its own, whichever threads of the worker want something detected.

    torch's number of threads belongs to the thread that set it: a convolution that is the first thing another thread
    does takes all cores, and its sums are split otherwise. In one thread it also computes one batch at a time, so that
    a worker with several threads reads with all of them but never runs two networks at once.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._detector = self._thread.submit(_load, spec).result()

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        """(B, H, W, 3) uint8 RGB → the peaks of each tile, in px of its tile."""
        return self._thread.submit(self._detector.detect, images).result()


_networks: dict[DetectorSpec, NetworkThread] = {}  # of this process: at most one is held
_loading = threading.Lock()


def network_for(spec: DetectorSpec) -> NetworkThread:
    """The network of this process, of that kind, built at the first call.

    Raises
    ------
    ModelError
        Where the model isn't here, has other weights, or can't run as it was resolved.
    """
    with _loading:
        if spec not in _networks:
            _networks.clear()  # a worker that outlives a run drops the model of the run before
            _networks[spec] = NetworkThread(spec)
        return _networks[spec]


def _load(spec: DetectorSpec) -> Detector:
    bundle = find_bundle(str(spec.directory) if spec.directory.is_dir() else spec.name)
    if bundle.sha256 != spec.sha256:
        raise ModelError(
            f"the model {spec.name} has other weights here (sha256 {bundle.sha256[:12]}…, wanted {spec.sha256[:12]}…); "
            "install the same version of it"
        )
    return Detector.load(
        bundle, settings=spec.decode, device=spec.device, precision=spec.precision, threads=spec.threads
    )
