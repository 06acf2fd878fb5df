"""How fast each stage is by itself: reading, normalising, the network, peaks, stitching, writing.

    python workflows/benchmarks/stages.py [SLIDE] [--tiles 64]

What is far faster than the network can hide behind it: the last column says how many times faster a stage is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pace
import torch
from measuring import Spent, machine, planned, resolved, spent, table

from wsi_edt.bundles import find_bundle
from wsi_edt.detection.detector import Detector
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.shards import detect_shard
from wsi_edt.detection.stitching import stitch
from wsi_edt.maps import Peaks, decode
from wsi_edt.networks.network import Normalise
from wsi_edt.qupath.cells_out import write_geojson
from wsi_edt.results.store import SlideStore
from wsi_edt.run import RunOptions
from wsi_edt.run.finalise import seen_of, stitched_cells
from wsi_edt.run.plan import SlidePlan
from wsi_edt.run.settings import RunSettings
from wsi_edt.slides import TileLoader, TileRequest

Images = npt.NDArray[np.uint8]
LEAST_SECONDS = 2.0  # that a stage is repeated for
HEAD = ("stage", "tiles/s", "MPix/s", "ms/tile", "CPU ms/tile", "× network")


def read(plan: SlidePlan, settings: RunSettings, *, tiles: int, readers: int) -> list[Images]:
    """Batches of the first tiles."""
    cells = settings.cells
    requests = [
        TileRequest(plan.ref.source, tile.window, cells.model_mpp)
        for shard in plan.shards
        for tile in shard.tiles
    ]
    with TileLoader(requests[:tiles], batch_size=cells.batch_size, threads=readers) as loader:
        return [batch.images for batch in loader]


def repeated(work: Callable[[Any], object], inputs: list[Any]) -> tuple[Spent, int]:
    """The time of the work on the inputs, repeated until it can be measured, and how many it was done on."""
    work(inputs[0])  # what happens once, like planning a convolution, isn't part of a rate
    done, total = 0, Spent()
    while total.seconds < LEAST_SECONDS:
        with spent() as taken:
            for item in inputs:
                work(item)
        done += len(inputs)
        total = Spent(total.seconds + taken.seconds, total.cpu_seconds + taken.cpu_seconds)
    return total, done


class Replayed:
    """Gives a tile the peaks that it had: a network that takes no time."""

    def __init__(self, found: list[Peaks]) -> None:
        self._found = cycle(found)

    def detect(self, images: Images) -> list[Peaks]:
        """(B, H, W, 3) uint8 RGB → the peaks of each tile."""
        return list(islice(self._found, len(images)))


@click.command()
@pace.run_options
def main(slide: Path | None, tiles: int, options: RunOptions) -> None:
    """Print each stage's rate."""
    settings = resolved(options)
    with pace.slide_of(slide, options, tiles=tiles) as path:
        rows = measured(path, settings, tiles)
    network = next(taken.seconds / done for name, taken, done in rows if name.startswith("network"))
    megapixels = settings.cells.tile_px**2 / 1e6
    print(machine())
    print(f"{settings.cells.to_json()}\n")
    lines = []
    for name, taken, done in rows:
        seconds = taken.seconds / done
        lines.append(
            [
                name,
                f"{1 / seconds:.1f}",
                f"{megapixels / seconds:.1f}",
                f"{1000 * seconds:.2f}",
                f"{1000 * taken.cpu_seconds / done:.2f}",
                f"{network / seconds:.1f}",
            ]
        )
    print(table(HEAD, lines))


def measured(path: Path, settings: RunSettings, tiles: int) -> list[tuple[str, Spent, int]]:
    """Name, time and number of tiles of each stage."""
    cells, compute = settings.cells, settings.cells.compute
    plan = planned(path, settings)
    rows: list[tuple[str, Spent, int]] = []
    tiles = min(tiles, sum(len(shard.tiles) for shard in plan.shards))
    for readers in (1, 2):
        with spent() as taken:
            batches = read(plan, settings, tiles=tiles, readers=readers)
        rows.append((f"read, {readers} thread{'s' * (readers > 1)}", taken, tiles))
    bundle = find_bundle(str(settings.detector.directory))
    detector = Detector.load(bundle, settings=cells.decode, compute=compute)
    torch.set_num_threads(compute.threads)
    normalise = Normalise(bundle.normalisation).to(compute.device)

    def copy(images: Images) -> None:
        normalise(torch.from_numpy(images).to(compute.device))

    def batched(name: str, work: Callable[[Any], object], inputs: list[Any]) -> None:
        taken, done = repeated(work, inputs)
        rows.append((name, taken, done * cells.batch_size))

    batched("copy, normalise", copy, batches)
    batched(f"network, {compute.runtime} {compute.precision}", detector.maps, batches[:8])
    maps = [detector.maps(images) for images in batches[:8]]
    batched("peaks", lambda batch: [decode(one, cells.decode) for one in batch], maps)
    batched("network and peaks", detector.detect, batches[:8])
    rows.extend(_ended(plan, settings, [decode(one, cells.decode) for batch in maps for one in batch]))
    return rows


def _ended(plan: SlidePlan, settings: RunSettings, found: list[Peaks]) -> list[tuple[str, Spent, int]]:
    """What comes after the network, on as many cells as it finds."""
    tiles = sum(len(shard.tiles) for shard in plan.shards)
    stages = {}
    with tempfile.TemporaryDirectory() as folder:
        store = SlideStore.create(Path(folder) / "store.zarr", plan.header)
        detector = Replayed(found)
        parts = [
            detect_shard(
                shard,
                detector.detect,
                source=plan.ref.source,
                model_mpp=settings.cells.model_mpp,
                batch_size=settings.cells.batch_size,
                readers=2,
            )
            for shard in plan.shards
        ]
        with spent() as stages["store"]:
            for shard, peaks in zip(plan.shards, parts, strict=True):
                store.write_shard(shard, peaks, seconds=1.0)
        with spent() as stages["stitch"]:
            stitch(TilePeaks.concatenate(parts), plan.grid, radius_px=settings.cells.decode.radius_px)
        cells = stitched_cells(seen_of(plan, settings), store, settings.cells)
        with spent() as stages["GeoJSON"]:
            write_geojson(Path(folder) / "cells.geojson", cells, slide_name=plan.ref.name, radius_px=10.0)
    return [(name, taken, tiles) for name, taken in stages.items()]


if __name__ == "__main__":
    main()
