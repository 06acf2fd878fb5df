"""How little a run adds to its network: its seconds per tile against the network's own.

    python workflows/benchmarks/pipeline_efficiency.py [SLIDE] [--tiles 64]

The network's own time is that of batches that lie in memory, before and after the run, in the same kind of process with
the same threads. The run's is by the clock from its first stored shard to its last: reading, peaks, padding of batches,
Dask and the store are in it, starting is not.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np
import pace
from measuring import in_fresh_process, machine, planned, resolved, table
from stages import read

from wsi_edt.bundles import find_bundle
from wsi_edt.detection.detector import Detector
from wsi_edt.run import RunOptions

BATCHES = 5
WARM_UP = 1


def network_seconds(slide: Path, options: RunOptions) -> float:
    """The median seconds per tile of the network alone, on the slide's own tiles."""
    settings = resolved(options)
    cells = settings.cells
    images = read(planned(slide, settings), settings, tiles=BATCHES * cells.batch_size, readers=2)
    bundle = find_bundle(str(settings.detector.directory))
    detector = Detector.load(bundle, settings=cells.decode, compute=cells.compute)
    seconds = []
    for batch in images[:WARM_UP] + images:
        started = time.perf_counter()
        detector.maps(batch)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[WARM_UP:])) / cells.batch_size


@click.command()
@pace.run_options
def main(slide: Path | None, tiles: int, options: RunOptions) -> None:
    """Print seconds per tile of the network and of the run, and their ratio."""
    with pace.slide_of(slide, options, tiles=tiles) as path:
        before = in_fresh_process(network_seconds, path, options)
        run = pace.run(path, options)
        after = in_fresh_process(network_seconds, path, options)
    network = (before + after) / 2
    cells = resolved(options).cells
    compute = cells.compute
    print(machine())
    print(
        f"{cells.model}, {compute.runtime} {compute.precision}, {compute.threads} threads, batches of "
        f"{cells.batch_size} tiles of {cells.tile_px} px; {run.tiles} tiles, {len(run.xy):,} cells\n"
    )
    lines = [
        ("network alone, before", before),
        ("network alone, after", after),
        ("run, computing", run.tile_seconds),
        ("run, all of it", run.seconds / run.tiles),
    ]
    rows = [[name, f"{1000 * seconds:.0f}", f"{seconds / network:.2f}"] for name, seconds in lines]
    print(table(("", "ms/tile", "× network"), rows))


if __name__ == "__main__":
    main()
