"""What more workers and more threads bring: tiles a second by worker processes and threads of each one's network.

python workflows/benchmarks/workers.py [SLIDE] [--counts 1,2] [--tiles 64]
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import click
import pace
from measuring import Numbers, machine, resolved, table

from wsi_edt.run import RunOptions


@click.command()
@pace.run_options
@click.option(
    "--counts", type=Numbers(), default="1,2", show_default=True, help="Of workers, and of threads."
)
def main(slide: Path | None, tiles: int, options: RunOptions, counts: list[int]) -> None:
    """Print the rate of each combination against one worker with one thread."""
    measured = []
    with pace.slide_of(slide, options, tiles=tiles) as path:
        for workers, threads in itertools.product(counts, counts):
            own = replace(options, compute=replace(options.compute, threads=threads))
            measured.append((workers, threads, pace.run(path, own, workers=workers)))
    cells = resolved(options).cells
    print(machine())
    print(f"{cells.model}, {cells.compute.runtime} {cells.compute.precision}; {measured[0][2].tiles} tiles\n")
    slowest = measured[0][2].tile_seconds
    rows = [
        [
            str(workers),
            str(threads),
            f"{1 / run.tile_seconds:.2f}",
            f"{slowest / run.tile_seconds:.2f}",
            f"{run.seconds:.0f}",
            f"{len(run.xy):,}",
        ]
        for workers, threads, run in measured
    ]
    print(table(("workers", "threads each", "tiles/s", "× first", "seconds in all", "cells"), rows))


if __name__ == "__main__":
    main()
