"""How little a run adds to its network: its seconds a tile against the network's own.

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
from measuring import in_fresh_process, machine, planned, settings, table
from stages import read

from wsi_edt.bundles import find_bundle
from wsi_edt.detection.detector import Detector
from wsi_edt.run import Wishes

BATCHES = 5
WARM_UP = 1


def network_seconds(slide: Path, wishes: Wishes) -> float:
    """The median seconds a tile of the network alone, on the slide's own tiles."""
    config = settings(wishes)
    cells = config.cells
    images = read(planned(slide, config), config, tiles=BATCHES * cells.batch_size, readers=2)
    detector = Detector.load(
        find_bundle(str(config.model_directory)),
        settings=cells.decode,
        device=cells.device,
        precision=cells.precision,
        threads=cells.threads,
        runtime=cells.runtime,
    )
    seconds = []
    for batch in images[:WARM_UP] + images:
        started = time.perf_counter()
        detector.maps(batch)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[WARM_UP:])) / cells.batch_size


@click.command()
@pace.options
def main(slide: Path | None, tiles: int, wishes: Wishes) -> None:
    """Print seconds a tile of the network and of the run, and their ratio."""
    with pace.slide_of(slide, wishes, tiles=tiles) as path:
        before = in_fresh_process(network_seconds, path, wishes)
        run = pace.run(path, wishes)
        after = in_fresh_process(network_seconds, path, wishes)
    network = (before + after) / 2
    cells = settings(wishes).cells
    print(machine())
    print(
        f"{cells.model}, {cells.runtime} {cells.precision}, {cells.threads} threads, batches of {cells.batch_size} tiles "
        f"of {cells.tile_px} px; {run.tiles} tiles, {len(run.xy):,} cells\n"
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
