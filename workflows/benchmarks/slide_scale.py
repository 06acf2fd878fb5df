"""How memory and rate change with a slide's size, from 0.1 to 10 gigapixels; the network costs nothing.

    python workflows/benchmarks/slide_scale.py [--gigapixels 0.1,1,10] [--tissue 0.3]

Each slide is made from one picture (make_slide.py) and goes through the whole run, from planning to report, with one
worker whose network is a stub. What repeats in the slide must repeat in its cells: the last column is the share of the
cells inside the tissue that are found in every period.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from make_slide import Mosaic, read_picture, write_slide
from measuring import MIB, Numbers, in_fresh_process, machine, peak_memory, planned, resolved, spent, table
from stub import StubWorkers, stub_workers

from wsi_edt.cells import Cells
from wsi_edt.detection.compute import ComputeOptions
from wsi_edt.results import names
from wsi_edt.results.store import SlideStore
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.finalise import seen_of, stitched_cells
from wsi_edt.run.options import RunOptions
from wsi_edt.run.progress import NoProgress
from wsi_edt.slides.location import SlidePath

BYTES_PER_CELL = 64
OPTIONS = RunOptions(compute=ComputeOptions("cpu", "torch", "fp32", threads=1))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one slide took.

    Attributes
    ----------
    side : level-0 px
    tissue_px : level-0 px that the tissue mask holds
    tiles, cells : computed, found
    seconds : of the run, by the clock
    worker_seconds : processor seconds of the worker, all its threads: reading, stub, peaks
    client, worker : the most bytes of memory that they held
    repeating : share of the cells in whole periods that lie in each of them
    """

    side: int
    tissue_px: float
    tiles: int
    cells: int
    seconds: float
    worker_seconds: float
    client: int
    worker: int
    repeating: float


def make(path: Path, side: int, tissue: float) -> tuple[int, int, int]:
    """Make the slide; returns the sides (width, height) of its period, and how many rows hold tissue."""
    mosaic = Mosaic.of(read_picture(None), width=side, height=side, tissue=tissue)
    write_slide(path, mosaic, mpp=resolved(OPTIONS).cells.model_mpp)
    return mosaic.period.shape[1], mosaic.period.shape[0], mosaic.tissue_height


def run(path: Path, out: Path) -> tuple[float, float, int, int]:
    """Run on the slide as `wsi-edt run` does; returns seconds, the worker's, the client's peak memory, the worker's."""
    workers: list[tuple[float, int]] = []

    @contextmanager
    def open_pool(probe: SlidePath) -> Iterator[StubWorkers]:
        with stub_workers() as pool:
            yield pool
            workers.append(pool.ask(spent_so_far))

    slides = find_slides([path], out=out).slides
    with spent() as taken:
        result = run_batch(
            slides, out, settings=resolved(OPTIONS), open_pool=open_pool, progress=NoProgress()
        )
    assert result.failed == 0, result.rows
    worker_seconds, worker_memory = workers[0]
    return taken.seconds, worker_seconds, peak_memory(), worker_memory


def spent_so_far() -> tuple[float, int]:
    """The processor seconds and the most bytes of memory that this process took."""
    return time.process_time(), peak_memory()


def counted(path: Path, out: Path, period: tuple[int, int, int]) -> tuple[float, int, int, float]:
    """The tissue's level-0 px, tiles, cells, and the share of the cells that repeat."""
    settings = resolved(OPTIONS)
    plan = planned(path, settings)
    store = SlideStore(out / path.name / names.STORE, plan.header)
    cells = stitched_cells(seen_of(plan, settings), store, settings.cells)
    tissue_px = plan.tissue.area_mm2 * (1000 / plan.header.slide_mpp) ** 2
    tiles = sum(len(shard.tiles) for shard in plan.shards)
    return tissue_px, tiles, len(cells), repeating(cells, plan.grid.extent[0], *period)


def repeating(cells: Cells, side: int, width: int, height: int, tissue_height: int) -> float:
    """The share of the cells in the inner periods whose place holds a cell in each of them.

    Parameters
    ----------
    cells : level-0 px
    side : of the slide
    width, height : of a period
    tissue_height : rows that hold tissue
    """
    across, down = side // width - 2, tissue_height // height - 2  # the outer ones see the edge, or glass
    if min(across, down) < 1:
        return math.nan
    inner = (cells.x >= width) & (cells.x < width * (across + 1))
    inner &= (cells.y >= height) & (cells.y < height * (down + 1))
    place = np.floor(cells.y[inner] % height) * width + np.floor(cells.x[inner] % width)
    _, times = np.unique(place, return_counts=True)
    return float(times[times == across * down].sum() / max(times.sum(), 1))


def measured(gigapixels: float, tissue: float, folder: Path) -> Outcome:
    """One slide from its making to its count, each step in its own process."""
    side = math.isqrt(round(gigapixels * 1e9))
    path, out = folder / "slide.tif", folder / "out"
    period = in_fresh_process(make, path, side, tissue)
    seconds, worker_seconds, client, worker = in_fresh_process(run, path, out)
    tissue_px, tiles, cells, share = in_fresh_process(counted, path, out, period)
    return Outcome(side, tissue_px, tiles, cells, seconds, worker_seconds, client, worker, share)


def beyond_cells(outcome: Outcome, smallest: Outcome) -> int:
    """Bytes by which the client grew against the smallest slide, minus the 64 that each further cell may take."""
    return outcome.client - smallest.client - BYTES_PER_CELL * (outcome.cells - smallest.cells)


HEAD = (
    "gigapixels",
    "side",
    "tissue GPix",
    "tiles",
    "cells",
    "seconds",
    "worker CPU s",
    "tiles/s",
    "ms/tile",
    "MPix/s",
    "client MiB",
    "worker MiB",
    "beyond 64 B/cell",
    "repeating",
)


def row(outcome: Outcome, smallest: Outcome) -> list[str]:
    """The outcome as a row of the table."""
    return [
        f"{outcome.side**2 / 1e9:.2g}",
        f"{outcome.side:,}",
        f"{outcome.tissue_px / 1e9:.2f}",
        f"{outcome.tiles:,}",
        f"{outcome.cells:,}",
        f"{outcome.seconds:.0f}",
        f"{outcome.worker_seconds:.0f}",
        f"{outcome.tiles / outcome.seconds:.1f}",
        f"{1000 * outcome.worker_seconds / outcome.tiles:.1f}",
        f"{outcome.tissue_px / outcome.seconds / 1e6:.1f}",
        f"{outcome.client / MIB:.0f}",
        f"{outcome.worker / MIB:.0f}",
        f"{beyond_cells(outcome, smallest) / MIB:+.0f}",
        "" if math.isnan(outcome.repeating) else f"{outcome.repeating:.3%}",
    ]


@click.command()
@click.option(
    "--gigapixels",
    type=Numbers(fractions=True),
    default="0.1,1,10",
    show_default=True,
    help="Sizes of level 0.",
)
@click.option(
    "--tissue", type=click.FloatRange(0.01, 1), default=0.3, show_default=True, help="Share of the slide."
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="For temporary files: 5 GB.")
def main(gigapixels: list[float], tissue: float, folder: Path | None) -> None:
    """Print memory and rate by the slide's size."""
    outcomes = []
    for size in gigapixels:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            outcomes.append(measured(size, tissue, Path(temporary)))
    print(machine())
    print(
        "ms/tile: of the worker's processor; MPix/s: of tissue at level 0, whole run; seconds include starting;"
    )
    print(
        "beyond 64 B/cell: MiB by which the client's peak grew against the smallest slide, less 64 bytes a cell\n"
    )
    print(table(HEAD, [row(outcome, outcomes[0]) for outcome in outcomes]))


if __name__ == "__main__":
    main()
