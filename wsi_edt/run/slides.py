"""The whole job in one call: what `wsi-edt run` does, for Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsi_edt.errors import UsageError
from wsi_edt.results.lock import refuse_unusable_out
from wsi_edt.run.discover import find_slides
from wsi_edt.run.options import RunOptions
from wsi_edt.run.progress import NoProgress, RunProgress, counted
from wsi_edt.run.stop import StopRequest
from wsi_edt.slides.location import SlidePath

if TYPE_CHECKING:
    from wsi_edt.cluster.pool import ShardPool
    from wsi_edt.run.batch import RunResult


def run_slides(
    inputs: str | Path | Sequence[str | SlidePath],
    out: Path | str,
    options: RunOptions | None = None,
    *,
    progress: RunProgress | None = None,
    stop: StopRequest | None = None,
) -> RunResult:
    """Find and count the nuclei of slides, and continue from where an earlier run into that folder stopped.

    Workers are processes: a script that calls this needs Python's usual `if __name__ == "__main__":`.

    Parameters
    ----------
    inputs : slides, and folders that are searched for slides: paths, or URLs such as s3://bucket/slides; or one of them
    out : the results folder; made if it is missing
    options : by default everything is chosen for this machine
    progress : is told about each step
    stop : ends the run early when it is asked for, for example by another thread

    Returns
    -------
    A row per slide.

    Raises
    ------
    WsiEdtError
        If nothing can be done at all; a slide that fails gets its row instead.
    """
    options, progress = options or RunOptions(), progress or NoProgress()
    inputs = [inputs] if isinstance(inputs, str | Path) else inputs
    out = Path(out)
    _refuse_contradictions(options)
    refuse_unusable_out(out)
    found = find_slides(inputs, out=out, fallback_mpp=options.fallback_mpp, series=options.series)
    for note in found.notes:
        progress.note(note)
    if found.images_left_out:
        progress.note(
            f"{counted(found.images_left_out, 'PNG or JPEG image')} left out; pass --mpp to take PNG and JPEG as slides"
        )

    # Here and not above: torch and Dask take seconds to import, and wrong paths are known without them.
    from wsi_edt.cluster.devices import chosen_gpus
    from wsi_edt.cluster.local import local_worker_count, local_workers, shards_each
    from wsi_edt.cluster.machine import this_machine
    from wsi_edt.cluster.remote import connected_workers
    from wsi_edt.run.batch import run_batch
    from wsi_edt.run.planning import isolated_planner
    from wsi_edt.run.resolve import resolve

    with ExitStack() as stack:
        # A cluster is connected first, because its machines decide what "auto" means; local workers start when there is
        # something to compute.
        gpus: tuple[int, ...] = ()
        cluster = None
        if options.scheduler is not None:
            cluster = stack.enter_context(connected_workers(options.scheduler))
            machines = cluster.machines(options.compute)
        else:
            here = this_machine(options.compute)
            gpus = chosen_gpus(options.devices, here)
            here = replace(here, gpus=len(gpus))
            machines = (here,) * (options.workers or local_worker_count(here))
        settings = resolve(options, machines, slides=found.slides, out=out)
        compute = settings.cells.compute

        @contextmanager
        def open_pool(probe: SlidePath) -> Iterator[ShardPool]:
            progress.note(
                f"{settings.counted_by.model}, {compute.precision} in {compute.runtime} on {compute.device}, "
                f"{counted(len(machines), 'worker')} with {counted(compute.threads, 'thread')} each"
            )
            if cluster is not None:
                yield cluster.pool(settings.detector, [slide.source.path for slide in found.slides])
                return
            count = len(machines)
            threads = shards_each(compute.device, machines[0].cores // count)
            with local_workers(count, gpus=gpus, threads=threads) as local:
                yield local.pool(settings.detector, [probe])

        return run_batch(
            found.slides,
            out,
            settings=settings,
            open_pool=open_pool,
            progress=progress,
            stop=stop,
            plan_slide=stack.enter_context(isolated_planner()),
        )


def _refuse_contradictions(options: RunOptions) -> None:
    if options.workers is not None and options.workers < 1:
        raise UsageError(f"{options.workers} workers are too few", remedy="give at least 1")
    if options.scheduler is None:
        return
    if not options.scheduler:
        raise UsageError(
            "--scheduler is empty (an unset variable?)", remedy="give an address such as tcp://host:8786"
        )
    if options.devices is not None:
        raise UsageError(
            "--devices is for the GPUs of this machine",
            remedy="on a cluster, set CUDA_VISIBLE_DEVICES of each worker",
        )
    if options.workers is not None:
        raise UsageError(
            f"--workers is for this machine, and {options.scheduler} has workers of its own",
            remedy="leave one of the two out",
        )
