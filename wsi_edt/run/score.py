"""The whole job in one call: what `wsi-edt run` does, for Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from wsi_edt.cluster.devices import chosen_gpus
from wsi_edt.cluster.pool import ShardPool
from wsi_edt.cluster.worker import DetectorSpec, hardware
from wsi_edt.cluster.workers import connected_workers, local_worker_count, local_workers, shards_each
from wsi_edt.errors import UsageError
from wsi_edt.results.lock import refuse_unusable_out
from wsi_edt.run.batch import RunResult, run
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import Silence, Watcher, counted
from wsi_edt.run.resolve import Wishes, resolve
from wsi_edt.run.stop import StopRequest
from wsi_edt.slides.location import SlidePath


def score_slides(
    inputs: Sequence[str | SlidePath],
    out: Path,
    *,
    wishes: Wishes | None = None,
    workers: int | None = None,
    devices: Sequence[int] | None = None,
    scheduler: str | None = None,
    watcher: Watcher | None = None,
    stop: StopRequest | None = None,
) -> RunResult:
    """Score slides into a results folder, and continue there where an earlier run stopped; returns a row per slide.

    Workers are processes: a script that calls this needs Python's usual `if __name__ == "__main__":`.

    Parameters
    ----------
    inputs : slides, and folders that are searched for slides: paths, or URLs such as s3://bucket/slides
    out : the results folder; made where missing
    wishes : the settings; by default everything is chosen for this machine
    workers : processes on this machine; by default as many as its cores serve, up to four per GPU
    devices : numbers of this machine's GPUs to use; by default all of them
    scheduler : the address of a Dask scheduler, whose workers compute instead
    watcher : is told of the steps
    stop : ends the run before its end, when it is asked for, for example by another thread

    Raises
    ------
    WsiEdtError
        Where nothing can be done at all; a slide that fails gets its row instead.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"{workers} workers are too few; give at least 1")
    if scheduler is not None and devices is not None:
        raise UsageError(
            "--devices is for the GPUs of this machine; on a cluster, CUDA_VISIBLE_DEVICES of each worker says it"
        )
    if scheduler is not None and workers is not None:
        raise UsageError(
            f"--workers is for this machine, and {scheduler} has workers of its own; leave one of the two out"
        )
    refuse_unusable_out(out)
    wishes = wishes or Wishes()
    watcher = watcher or Silence()
    found = find_slides(inputs, out=out, with_images=wishes.mpp is not None)
    if found.images_left_out:
        watcher.note(
            f"{counted(found.images_left_out, 'PNG or JPEG image')} left out; pass --mpp to take PNG and JPEG as slides"
        )
    with ExitStack() as stack:
        # A cluster is connected first, because its machines decide what "auto" means; local workers start when there is
        # something to compute.
        gpus: tuple[int, ...] = ()
        cluster = None if scheduler is None else stack.enter_context(connected_workers(scheduler))
        if cluster is None:
            here = hardware(wishes.device, wishes.runtime, wishes.precision)
            gpus = chosen_gpus(devices, here)
            here = replace(here, gpus=len(gpus))
            machines = (here,) * (workers or local_worker_count(here, wishes.threads))
        else:
            machines = cluster.hardware(wishes.device, wishes.runtime, wishes.precision)
        config = resolve(wishes, machines, slides=found.slides, out=out)
        spec = DetectorSpec.of(config)

        @contextmanager
        def open_pool(probe: SlidePath) -> Iterator[ShardPool]:
            cells = config.cells
            watcher.note(
                f"{cells.model}, {cells.precision} in {cells.runtime} on {cells.device}, "
                f"{counted(len(machines), 'worker')} with {counted(cells.threads, 'thread')} each"
            )
            if cluster is not None:
                yield cluster.pool(spec, [slide.path for slide in found.slides])
                return
            count = len(machines)
            threads = shards_each(cells.device, machines[0].cores // count)
            with local_workers(count, gpus=gpus, threads=threads) as local:
                yield local.pool(spec, [probe])

        return run(found.slides, out, config=config, open_pool=open_pool, watcher=watcher, stop=stop)
