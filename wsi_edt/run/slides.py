"""The whole job in one call: what `wsi-edt run` does, for Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsi_edt.errors import UsageError
from wsi_edt.results.lock import refuse_unusable_out
from wsi_edt.run.discover import Discovery, find_slides
from wsi_edt.run.options import RunOptions
from wsi_edt.run.progress import HarmlessProgress, NoProgress, RunProgress, counted
from wsi_edt.run.roi import with_roi
from wsi_edt.run.stop import StopRequest
from wsi_edt.slides.location import SlidePath

if TYPE_CHECKING:
    from wsi_edt.cluster.machine import Machine
    from wsi_edt.cluster.pool import ShardPool
    from wsi_edt.cluster.workers import Workers
    from wsi_edt.run.dry_run import Preview
    from wsi_edt.run.outcomes import RunResult


def run_slides(
    inputs: str | Path | Sequence[str | SlidePath],
    out: Path | str,
    options: RunOptions | None = None,
    *,
    progress: RunProgress | None = None,
    stop: StopRequest | None = None,
) -> RunResult:
    """Find and count the nuclei of slides, and continue from where an earlier run into that folder stopped.

    Workers are processes, but don't import the script that calls this: it needs no `if __name__ == "__main__":`.

    Parameters
    ----------
    inputs : slides, folders that are searched for slides, patterns and tables of slides, as the command takes them: paths,
        or URLs such as s3://bucket/slides; or one of them
    out : the results folder; made if it is missing
    options : by default everything is chosen for this machine
    progress : is told about each step
    stop : ends the run early when it is asked for, for example by another thread

    Returns
    -------
    A row per slide, and one per folder that couldn't be looked into.

    Raises
    ------
    WsiEdtError
        If nothing can be done at all; a slide that fails gets its row instead.
    """
    options, progress = options or RunOptions(), HarmlessProgress(progress or NoProgress())
    out = Path(out)
    found = _found(inputs, out, options, progress)
    slides = found.slides

    # Here and not above: torch and Dask take seconds to import, and wrong paths are known without them.
    from wsi_edt.cluster.local import local_workers, shards_each
    from wsi_edt.run.batch import run_batch
    from wsi_edt.run.pace import PaceMeter, pace_key
    from wsi_edt.run.planning import isolated_planner
    from wsi_edt.run.resolve import resolve

    with ExitStack() as stack:
        workers = _workers(options, stack)
        cluster, machines = workers.cluster, workers.machines
        settings = resolve(options, machines, slides=slides, out=out)
        compute = settings.cells.compute
        meter = PaceMeter(progress)

        @contextmanager
        def open_pool(probe: SlidePath) -> Iterator[ShardPool]:
            progress.note(
                f"{settings.counted_by.model}, {compute.precision} in {compute.runtime} on {compute.device}, "
                f"{counted(len(machines), 'worker')} with {counted(compute.threads, 'thread')} each"
            )
            if cluster is not None:
                yield cluster.pool(settings.detector, [slide.source.path for slide in slides])
                return
            count = len(machines)
            threads = shards_each(compute.device, machines[0].cores // count)
            with local_workers(count, gpus=workers.gpus, threads=threads) as local:
                yield local.pool(settings.detector, [probe])

        result = run_batch(
            slides,
            out,
            settings=settings,
            open_pool=open_pool,
            progress=meter,
            stop=stop,
            plan_slide=stack.enter_context(isolated_planner(stop)),
            faults=found.faults,
        )
        if cluster is None:
            meter.keep(pace_key(settings.cells, machines))
        return result


def preview_slides(
    inputs: str | Path | Sequence[str | SlidePath],
    out: Path | str,
    options: RunOptions | None = None,
    *,
    progress: RunProgress | None = None,
) -> Iterator[Preview]:
    """What `run_slides` would do with each slide, without computing or writing anything; takes and raises the same.

    Returns
    -------
    A `Preview` per slide, in their order, as soon as it is known; the first may take a while.
    """
    options, progress = options or RunOptions(), HarmlessProgress(progress or NoProgress())
    out = Path(out)
    found = _found(inputs, out, options, progress)
    slides = found.slides

    from wsi_edt.run.dry_run import previews, unreachable
    from wsi_edt.run.pace import known_pace, pace_key
    from wsi_edt.run.planning import isolated_planner
    from wsi_edt.run.resolve import resolve

    with ExitStack() as stack:
        workers = _workers(options, stack)
        settings = resolve(options, workers.machines, slides=slides, out=out)
        pace = None if workers.cluster else known_pace(pace_key(settings.cells, workers.machines))
        yield from previews(
            slides,
            out,
            settings=settings,
            plan_slide=stack.enter_context(isolated_planner()),
            seconds_per_tile=None if pace is None else pace / len(workers.machines),
        )
        yield from map(unreachable, found.faults)


def _found(
    inputs: str | Path | Sequence[str | SlidePath], out: Path, options: RunOptions, progress: RunProgress
) -> Discovery:
    """The slides of a run, once what is wrong with its options and paths has been told."""
    _refuse_contradictions(options)
    refuse_unusable_out(out)
    inputs = [inputs] if isinstance(inputs, str | Path) else inputs
    found = find_slides(inputs, out=out, fallback_mpp=options.fallback_mpp, series=options.series)
    for note in found.notes:
        progress.note(note)
    if found.images_left_out:
        progress.note(
            f"{counted(found.images_left_out, 'PNG or JPEG image')} left out; pass --mpp to take PNG and JPEG as slides"
        )
    slides = found.slides
    if options.icc:
        slides = tuple(replace(ref, source=replace(ref.source, icc=True)) for ref in slides)
    if options.roi is not None:
        slides, notes = with_roi(slides, options.roi, out=out)
        for note in notes:
            progress.note(note)
    return replace(found, slides=slides)


@dataclass(frozen=True, slots=True)
class _Workers:
    """Who would compute: a machine per worker, this one's GPUs among them, or a cluster's."""

    machines: Sequence[Machine]
    gpus: tuple[int, ...] = ()
    cluster: Workers | None = None


def _workers(options: RunOptions, stack: ExitStack) -> _Workers:
    """Who would compute.

    A cluster is connected here, because its machines decide what "auto" means; local workers start when there is
    something to compute, but whether they can is looked at now.
    """
    from wsi_edt.cluster.devices import chosen_gpus
    from wsi_edt.cluster.local import local_worker_count, refuse_without_semaphores
    from wsi_edt.cluster.machine import this_machine
    from wsi_edt.cluster.remote import connected_workers

    if options.scheduler is not None:
        cluster = stack.enter_context(connected_workers(options.scheduler))
        return _Workers(cluster.machines(options.compute), cluster=cluster)
    refuse_without_semaphores()  # before anything is written
    here = this_machine(options.compute)
    gpus = chosen_gpus(options.devices, here)
    here = replace(here, gpus=len(gpus))
    return _Workers((here,) * (options.workers or local_worker_count(here)), gpus)


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
