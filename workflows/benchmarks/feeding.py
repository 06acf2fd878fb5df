"""How fast the pipeline could feed a GPU: tiles per second with a network that costs nothing, and what limits them.

    python workflows/benchmarks/feeding.py [--tiles 96] [--cores 16]

It runs like `wsi-edt run` (Dask workers, shards, loader, a JPEG slide at 0.25 µm/px resampled to the model's, the store),
with each process on its own core. A process can't do more than its cores allow, nor more than Python's lock, which only
one thread holds at a time. So a machine reaches min(cores / CPU seconds per tile, processes / lock seconds per tile),
with as many processes as a run would start there for one GPU.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import lock_watch
import pace
import stub
from measuring import Numbers, in_fresh_process, machine, planned, resolved, spent, table

from wsi_edt.cluster.local import local_worker_count, local_workers, shards_each
from wsi_edt.cluster.machine import Machine
from wsi_edt.cluster.pool import ShardPool
from wsi_edt.cluster.worker import WorkerTasks
from wsi_edt.cluster.workers import Workers
from wsi_edt.detection.compute import Compute, ComputeOptions
from wsi_edt.run import RunOptions
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.settings import RunSettings
from wsi_edt.slides import open_slide, read_window
from wsi_edt.slides.location import SlidePath

SMALL_TILE_PX = 512  # the unit in which rates are compared
THREADS = shards_each(
    "cuda", 4
)  # of a process that has four cores, as on the machines that are extrapolated to
GPU_BYTES = 80 << 30
READ_ALONE_PX = 40 << 20
HEAD = ("tiles of", "", "tiles/s", "of 512 px/s", "× first", "CPU ms/tile", "× reading alone")
EXTRAPOLATED_HEAD = (
    "tiles of",
    "CPU ms/tile",
    "lock ms/tile",
    "lock's share",
    "by cores",
    "by the lock",
    "tiles/s",
    "of 512 px/s",
    "s/mm²",
)


@dataclass(slots=True)
class PaceAndCpu(pace.Pace):
    """Notes when the first shards are asked for, and the client's processor seconds at each stored shard."""

    begins: float = 0.0
    cpu_at: list[float] = field(default_factory=list)

    def stored(self, slide: str, *, tiles: int, cells: int) -> None:
        """Note a shard."""
        pace.Pace.stored(self, slide, tiles=tiles, cells=cells)
        self.cpu_at.append(time.process_time())


@dataclass(frozen=True, slots=True)
class Fed:
    """A run that has ended; seconds are per tile.

    Attributes
    ----------
    seconds : the clock's, of all processes together
    cpu : of workers and client
    lock : for which a worker held Python's lock; 0 if it wasn't watched
    """

    seconds: float
    cpu: float
    lock: float


@dataclass(frozen=True, slots=True)
class Extrapolated:
    """What a machine with that many cores and a GPU would do, in tiles a second."""

    processes: int
    by_cores: float
    by_lock: float

    @classmethod
    def of(cls, cores: int, *, cpu: float, lock: float) -> Extrapolated:
        """From the processor's and the lock's seconds per tile."""
        compute = Compute("cuda", "torch", "bf16", threads=2)
        processes = local_worker_count(Machine("", cores, compute, gpus=1, gpu_bytes=GPU_BYTES))
        return cls(processes, cores / cpu, processes / lock)

    @property
    def tiles_per_second(self) -> float:
        """The smaller of both limits."""
        return min(self.by_cores, self.by_lock)


def cores() -> list[int]:
    """The cores that this process may use; empty if the system doesn't tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin(core: int) -> None:
    """Keep all threads of this process on one core."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


@contextmanager
def pinned_workers(processes: int, threads: int, tasks: WorkerTasks) -> Iterator[Workers]:
    """Start that many processes, each on its own core as long as there are enough."""
    with local_workers(processes, threads=threads, tasks=tasks) as workers:
        addresses: dict[str, int] = workers.client.nthreads()  # type: ignore[no-untyped-call]
        for core, address in zip(cores(), sorted(addresses), strict=False):
            workers.client.run(pin, core, workers=[address])
        yield workers


def fed(slide: Path, settings: RunSettings, *, processes: int, watched: bool = False) -> Fed:
    """Run on the slide; if the lock is watched, with one reading thread, because then only the lock's seconds count.

    Several threads on one core would hold the lock while another has the core, which they don't if each has its own.
    """
    threads = 1 if watched else THREADS
    tasks = WorkerTasks(stub.ready, stub.costless_read_by_one if watched else stub.costless)
    watcher, lost = PaceAndCpu(), [0.0]
    with tempfile.TemporaryDirectory() as folder, pinned_workers(processes, threads, tasks) as workers:
        client = workers.client

        @contextmanager
        def open_pool(probe: SlidePath) -> Iterator[ShardPool]:
            pool = workers.pool(settings.detector, [probe])
            watcher.begins = time.perf_counter()
            yield pool

        slides = find_slides([slide], out=Path(folder)).slides
        if watched:
            client.run(lock_watch.start, max(cores(), default=None))
        before = client.run(time.process_time)
        result = run_batch(slides, Path(folder), settings=settings, open_pool=open_pool, progress=watcher)
        after = client.run(time.process_time)
        if watched:
            lost = list(client.run(lock_watch.stop).values())
    if result.failed:
        raise click.ClickException(str(result.rows[0].error))
    tiles = [tiles for _, tiles in watcher.stored_at]
    client_cpu = (watcher.cpu_at[-1] - watcher.cpu_at[0]) / sum(tiles[1:])
    workers_cpu = sum(after[address] - before[address] for address in before) / sum(tiles)
    seconds = (watcher.stored_at[-1][0] - watcher.begins) / sum(tiles)
    return Fed(seconds, client_cpu + workers_cpu, sum(lost) / sum(tiles))


def reading_alone(slide: Path, settings: RunSettings) -> float:
    """Processor seconds per tile of one thread that reads the slide's first tiles, on one core."""
    if cores():
        pin(cores()[0])
    tiles = [tile for shard in planned(slide, settings).shards for tile in shard.tiles]
    tiles = tiles[: READ_ALONE_PX // settings.cells.tile_px**2 + 1]
    with open_slide(slide) as opened, spent() as taken:
        for tile in tiles:
            read_window(opened, tile.window, wanted_mpp=settings.cells.model_mpp)
    return taken.cpu_seconds / len(tiles)


@click.command()
@click.option("--tile-px", type=Numbers(), default="512,1024", show_default=True, help="Sides of tiles.")
@click.option("--processes", type=Numbers(), default="1,2", show_default=True)
@click.option(
    "--tiles", type=click.IntRange(1), default=100, show_default=True, help="Of the largest, on the slide."
)
@click.option(
    "--cores", "wanted", type=click.IntRange(1), default=16, show_default=True, help="To extrapolate to."
)
@click.option("--model", default=RunOptions().model, help="Whose µm/px and halo count.")
def main(tile_px: list[int], processes: list[int], tiles: int, wanted: int, model: str) -> None:
    """Print the rates of these processes, and what a machine with a GPU and more cores would reach."""
    options = RunOptions(model=model, tile_px=max(tile_px), compute=ComputeOptions("cpu", "torch", "fp32"))
    rows, extrapolated = [], []
    with pace.slide_of(None, options, tiles=tiles) as slide:
        first = None
        for side in tile_px:
            settings = resolved(replace(options, tile_px=side))
            share = (side / SMALL_TILE_PX) ** 2
            alone = [in_fresh_process(reading_alone, slide, settings)]
            runs = [(count, fed(slide, settings, processes=count)) for count in processes]
            alone.append(in_fresh_process(reading_alone, slide, settings))
            read = sum(alone) / 2
            rows.append(
                [f"{side} px", "reading alone, before and after", *[""] * 3, f"{1000 * read:.1f}", "1.00"]
            )
            for count, one in runs:
                rate = share / one.seconds
                first = first or rate
                rates = (1 / one.seconds, rate, rate / first, 1000 * one.cpu)
                name = f"{count} process{'es' * (count > 1)}, a core each"
                rows.append(
                    [f"{side} px", name, *(f"{number:.1f}" for number in rates), f"{one.cpu / read:.2f}"]
                )
            cpu = min(one.cpu for _, one in runs)  # what else the machine does only adds
            locked = fed(slide, settings, processes=1, watched=True).lock
            there = Extrapolated.of(wanted, cpu=cpu, lock=locked)
            core_mm2 = ((side - 2 * settings.cells.halo_px) * settings.cells.model_mpp / 1000) ** 2
            times = (1000 * cpu, 1000 * locked)
            there_rates = (
                there.by_cores,
                there.by_lock,
                there.tiles_per_second,
                share * there.tiles_per_second,
            )
            extrapolated.append(
                [
                    f"{side} px",
                    *(f"{number:.1f}" for number in times),
                    f"{locked / cpu:.0%}",
                    *(f"{number:.0f}" for number in there_rates),
                    f"{1 / (there.tiles_per_second * core_mm2):.3f}",
                ]
            )
    print(machine())
    print(
        f"JPEG at {pace.SLIDE_MPP} µm/px read at {settings.cells.model_mpp} µm/px, {THREADS} shards a process\n"
    )
    print(table(HEAD, rows))
    print(
        f"\n{wanted} cores and a GPU: {there.processes} processes; tiles a second are the lesser of cores / CPU seconds a "
        "tile and processes / lock seconds a tile\n"
    )
    print(table(EXTRAPOLATED_HEAD, extrapolated))


if __name__ == "__main__":
    main()
