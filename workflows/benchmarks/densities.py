"""What cells' optical densities cost: measuring them in a tile against the network's time for it.

    python workflows/benchmarks/densities.py [--tile-px 1024] [--cells 200,1000,3000]

Four tiles of a picture go through the network (peaks included), again and again; then the densities around so many places
of them are measured, on one thread. The quickest of each counts, since what else the machine does only makes them slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import click
import numpy as np
from measuring import Numbers, machine, resolved, table
from runtimes import tiles

from wsi_edt.bundles import DEFAULT_MODEL, find_bundle
from wsi_edt.detection.compute import ComputeOptions
from wsi_edt.detection.densities import RADIUS_UM, mean_densities
from wsi_edt.detection.detector import Detector
from wsi_edt.run import RunOptions

REPEATS = 5
HEAD = ("cells in a tile", "cells/mm²", "densities, ms/tile", "network, ms/tile", "share")


def quickest(work: Callable[[], object], *, each: int) -> float:
    """The seconds that a piece of work took at best, shared among `each`."""
    work()  # what happens once, like planning a convolution, isn't part of it
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds) / each


@click.command()
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--tile-px", type=click.IntRange(min=256), default=1024, show_default=True)
@click.option("--cells", type=Numbers(), default="200,1000,3000", show_default=True, help="In a tile.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def main(model: str, tile_px: int, cells: list[float], device: str) -> None:
    """Print a row for each number of cells."""
    settings = resolved(RunOptions(model=model, tile_px=tile_px, compute=ComputeOptions(device=device)))
    bundle = find_bundle(model)
    detector = Detector.load(bundle, settings=bundle.decode, compute=settings.cells.compute)
    images = tiles(tile_px)
    network = quickest(lambda: detector.detect(images), each=len(images))
    rng = np.random.default_rng(0)
    own = tile_px - 2 * bundle.halo_px
    mm2 = (own * bundle.model_mpp / 1000) ** 2
    rows = []
    for number in map(int, cells):
        x, y = rng.integers(bundle.halo_px, bundle.halo_px + own, (2, number)).astype(np.int32)

        def measure(x: np.ndarray = x, y: np.ndarray = y) -> None:
            for image in images:
                mean_densities(image, x, y, radius_px=RADIUS_UM / bundle.model_mpp)

        seconds = quickest(measure, each=len(images))
        rows.append(
            [
                f"{number:,}",
                f"{number / mm2:,.0f}",
                f"{1000 * seconds:.2f}",
                f"{1000 * network:.0f}",
                f"{seconds / network:.2%}",
            ]
        )
    print(machine())
    compute = settings.cells.compute
    print(
        f"{bundle.name} {bundle.version}, {compute.runtime} {compute.precision} on {compute.device}, {compute.threads} "
        f"threads; tiles of {tile_px} px, of which a tile owns {own}; a disc of {RADIUS_UM:g} µm radius\n"
    )
    print(table(HEAD, rows))


if __name__ == "__main__":
    main()
