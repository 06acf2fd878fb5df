"""What the pipeline could feed a GPU with: tiles a second, of a network that costs nothing, and what limits them.

    python workflows/benchmarks/feeding.py [--tiles 96] [--cores 16]

The run's own way (Dask workers, shards, loader, a real JPEG slide at 0.25 µm/px resampled to the model's, the store), with
each process on a core of its own. A process can't do more than its cores allow, nor more than Python's lock, which one
thread has at a time. So a machine gives min(cores / CPU seconds a tile, processes / lock seconds a tile), with as many
processes as a run would start there for one GPU.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import lock_watch
import numpy as np
import numpy.typing as npt
import pace
from measuring import Numbers, in_fresh_process, machine, planned, settings, spent, table

from wsi_edt.cluster import worker as worker_module
from wsi_edt.cluster.pool import ShardPool
from wsi_edt.cluster.worker import DetectorSpec, Hardware
from wsi_edt.cluster.workers import Workers, local_worker_count, local_workers, shards_each
from wsi_edt.maps import Peaks
from wsi_edt.run import Wishes
from wsi_edt.run.batch import run
from wsi_edt.run.discover import find_slides
from wsi_edt.run.settings import RunConfig
from wsi_edt.slides import open_slide, read_window
from wsi_edt.slides.location import SlidePath

SMALL_TILE_PX = 512  # what rates are compared in
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


class Costless:
    """A network that takes no time and finds nothing."""

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        """(B, H, W, 3) uint8 RGB → no peaks for each tile."""
        none = np.zeros(0, np.int32)
        return [Peaks(none, none, np.zeros(0, np.float32), np.zeros(0, np.uint8)) for _ in images]


@dataclass(slots=True)
class PaceAndCpu(pace.Pace):
    """Notes when the first shards are asked for, and the client's processor seconds when one is stored."""

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
    lock : for which a worker had its Python's lock; 0 where it wasn't watched
    """

    seconds: float
    cpu: float
    lock: float


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine of so many cores would give, in tiles a second."""

    processes: int
    by_cores: float
    by_lock: float

    @classmethod
    def of(cls, cores: int, *, cpu: float, lock: float) -> Machine:
        """By the processor's and the lock's seconds a tile."""
        processes = local_worker_count(
            Hardware("", cores, "cuda", "torch", "bf16", gpus=1, gpu_bytes=GPU_BYTES), None
        )
        return cls(processes, cores / cpu, processes / lock)

    @property
    def tiles_per_second(self) -> float:
        """The least of what its parts allow."""
        return min(self.by_cores, self.by_lock)


def use_costless() -> None:
    """Make it the network of this worker, whatever the model."""
    worker_module.detector_for = lambda spec: Costless()  # type: ignore[assignment,return-value]


def cores() -> list[int]:
    """The cores that this process may use; none where the system doesn't tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin(core: int) -> None:
    """Keep all threads of this process on one core."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def read_in_one_thread() -> None:
    """Have each shard of this worker read by one thread."""
    worker_module._READERS = 1


@contextmanager
def pinned_workers(processes: int, threads: int) -> Iterator[Workers]:
    """Give so many processes, each on a core of its own as long as there are some."""
    with local_workers(processes, threads=threads) as workers:
        client: Any = workers._client
        for core, address in zip(cores(), sorted(client.nthreads()), strict=False):
            client.run(pin, core, workers=[address])
        client.run(use_costless)
        yield workers


def fed(slide: Path, config: RunConfig, *, processes: int, watched: bool = False) -> Fed:
    """Run the slide, or, where the lock is watched, read it with one thread: it is the lock's seconds that count then.

    Several threads on one core would hold the lock while another of them has the core, which they don't where each has one.
    """
    threads = 1 if watched else THREADS
    spec, watcher, lost = DetectorSpec.of(config), PaceAndCpu(), [0.0]
    with tempfile.TemporaryDirectory() as folder, pinned_workers(processes, threads) as workers:
        client: Any = workers._client

        @contextmanager
        def open_pool(probe: SlidePath) -> Iterator[ShardPool]:
            pool = workers.pool(spec, [probe])
            watcher.begins = time.perf_counter()
            yield pool

        slides = find_slides([slide], out=Path(folder), with_images=False).slides
        if watched:
            client.run(read_in_one_thread)
            client.run(lock_watch.start, max(cores(), default=None))
        before = client.run(time.process_time)
        result = run(slides, Path(folder), config=config, open_pool=open_pool, watcher=watcher)
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


def reading_alone(slide: Path, config: RunConfig) -> float:
    """Processor seconds a tile of one thread that reads the slide's first tiles, on one core."""
    if cores():
        pin(cores()[0])
    tiles = [tile for shard in planned(slide, config).shards for tile in shard.tiles]
    tiles = tiles[: READ_ALONE_PX // config.cells.tile_px**2 + 1]
    with open_slide(slide) as opened, spent() as taken:
        for tile in tiles:
            read_window(opened, tile.window, wanted_mpp=config.cells.model_mpp)
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
@click.option("--model", default=Wishes().model, help="Whose µm/px and halo count.")
def main(tile_px: list[int], processes: list[int], tiles: int, wanted: int, model: str) -> None:
    """Print what these processes give, and what a machine with a GPU and more cores would."""
    wishes = Wishes(model=model, tile_px=max(tile_px), device="cpu", runtime="torch", precision="fp32")
    rows, extrapolated = [], []
    with pace.slide_of(None, wishes, tiles=tiles) as slide:
        first = None
        for side in tile_px:
            config = settings(replace(wishes, tile_px=side))
            share = (side / SMALL_TILE_PX) ** 2
            alone = [in_fresh_process(reading_alone, slide, config)]
            runs = [(count, fed(slide, config, processes=count)) for count in processes]
            alone.append(in_fresh_process(reading_alone, slide, config))
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
            locked = fed(slide, config, processes=1, watched=True).lock
            there = Machine.of(wanted, cpu=cpu, lock=locked)
            core_mm2 = ((side - 2 * config.cells.halo_px) * config.cells.model_mpp / 1000) ** 2
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
        f"JPEG at {pace.SLIDE_MPP} µm/px read at {config.cells.model_mpp} µm/px, {THREADS} shards a process\n"
    )
    print(table(HEAD, rows))
    print(
        f"\n{wanted} cores and a GPU: {there.processes} processes; tiles a second are the lesser of cores / CPU seconds a "
        "tile and processes / lock seconds a tile\n"
    )
    print(table(EXTRAPOLATED_HEAD, extrapolated))


if __name__ == "__main__":
    main()
