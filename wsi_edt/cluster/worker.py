"""What a worker does: a slide and a shard in, arrays of peaks out; never pixels in either direction."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from wsi_edt.cluster.detector_spec import DetectorSpec, HeldDetector
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.runtimes.runtime import FloatMaps, Images
from wsi_edt.detection.shards import Detect, KeepingMaps, detect_shard
from wsi_edt.errors import ModelError, UnknownModelError, WsiEdtError
from wsi_edt.foreign import known
from wsi_edt.maps import Peaks
from wsi_edt.results.kept_maps import KeptMaps
from wsi_edt.slides.grid import Shard
from wsi_edt.slides.kept import KeptSlides, SlideKey
from wsi_edt.slides.source import SlideSource

DetectWithMaps = Callable[[Images], tuple[list[Peaks], FloatMaps]]

_READERS = 2  # threads; one reads faster than a CPU's network takes, the second hides a slow window
_KEPT_SLIDES = 8  # as many as read for four shards; each may hold 32 MiB of decoded tiles


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard of one slide.

    Attributes
    ----------
    fingerprint : of the slide's file: another file under the same name is another slide
    model_mpp : µm per model px, the frame of the shard's windows
    batch_size : tiles that the network sees at once
    maps : where the worker keeps its tiles' maps; None without
    """

    source: SlideSource
    fingerprint: str
    shard: Shard
    model_mpp: float
    batch_size: int
    detector: DetectorSpec
    maps: KeptMaps | None = None


@dataclass(frozen=True, slots=True)
class ShardResult:
    """A shard's peaks, on the slide's model-px grid, and the worker's seconds for it, none counted twice."""

    peaks: TilePeaks
    seconds: float


class ShardWorker:
    """The work of one process.

    Parameters
    ----------
    detect_as : finds peaks as a spec says
    readers : threads that read each shard
    with_maps_as : finds them and gives their maps, see `KeepingMaps`; None where no task keeps maps
    """

    def __init__(
        self,
        detect_as: Callable[[DetectorSpec], Detect],
        *,
        readers: int = _READERS,
        with_maps_as: Callable[[DetectorSpec], DetectWithMaps] | None = None,
    ) -> None:
        self._detect_as = detect_as
        self._with_maps_as = with_maps_as
        self._readers = readers
        self._slides = KeptSlides(most=_KEPT_SLIDES)
        self._busy = _Busy()

    def compute(self, task: ShardTask) -> ShardResult:
        """The peaks of a shard: a pure function of the task, wherever it runs; its tiles' maps are kept by then.

        Raises
        ------
        SlideError
            If the slide can't be read.
        ModelError
            If this worker can't do what the client resolved, or its GPU's memory is full.
        OutputError
            If maps can't be written.
        """
        begun = time.perf_counter()
        try:
            peaks = detect_shard(
                task.shard,
                self._detect_as(task.detector),
                source=task.source,
                model_mpp=task.model_mpp,
                batch_size=task.batch_size,
                readers=self._readers,
                opener=lambda source: self._slides.lent(SlideKey(source, task.fingerprint)),
                keeping=self._keeping(task),
            )
        except RuntimeError as error:  # as torch's are
            if (ours := known(error)) is None:
                raise
            raise ours.within(f"worker {platform.node()}") from error
        return ShardResult(peaks, self._busy.since(begun))

    def _keeping(self, task: ShardTask) -> KeepingMaps | None:
        if task.maps is None:
            return None
        assert self._with_maps_as is not None, "a worker that keeps no maps"
        task.maps.refuse_out_of_reach()
        return KeepingMaps(self._with_maps_as(task.detector), task.maps.write)

    def close(self) -> None:
        """Close the slides that are kept open."""
        self._slides.close()


class _Busy:
    """Divides a process's time among its shards, which may overlap: no second is counted for two of them."""

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


# Of this process.
_detector = HeldDetector()
_worker = ShardWorker(
    lambda spec: _detector.get(spec).detect,
    with_maps_as=lambda spec: _detector.get(spec).detect_with_maps,
)


def compute_shard(task: ShardTask) -> ShardResult:
    """Compute a shard in this process; see `ShardWorker.compute`."""
    return _worker.compute(task)


def prepare_worker(spec: DetectorSpec) -> WsiEdtError | None:
    """Build this worker's detector ahead of the first shard; return why it can't be built, or None.

    Notes
    -----
    The error is returned, not raised: a scheduler that asks all its workers at once would report only one of them.
    """
    try:
        _detector.get(spec)
    except UnknownModelError:
        return ModelError(
            f"worker {platform.node()} has no model {spec.name!r} at {spec.directory}",
            remedy="copy or mount its folder there",
        )
    except WsiEdtError as error:
        return error.within(f"worker {platform.node()}")
    return None


@dataclass(frozen=True, slots=True)
class WorkerTasks:
    """What workers are asked to do: module-level functions, which Dask sends by name. Tests put faults in their place.

    Attributes
    ----------
    prepare : asked once at the start
    compute : asked for each shard
    """

    prepare: Callable[[DetectorSpec], WsiEdtError | None] = prepare_worker
    compute: Callable[[ShardTask], ShardResult] = compute_shard
