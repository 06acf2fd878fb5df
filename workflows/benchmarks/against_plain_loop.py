"""wsi-edt against the loop that one would write: open, read a tile, predict, find peaks, append, json.dump.

    python workflows/benchmarks/against_plain_loop.py [SLIDE] [--tiles 64]

The loop has the same slide, weights, threads, tissue mask and peak finding, and tiles of 512 px with the same halo; its
network is the model as it was trained, unfolded, in eager float32, and again with channels last in bfloat16 where the
processor multiplies in it. Cells agree when they lie within 2 model px, of the larger count.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import openslide
import pace
import torch
from measuring import in_fresh_process, machine, planned, resolved, table
from PIL import Image
from torch import nn

from wsi_edt.bundles import find_bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.detection.compute import resolve_precision
from wsi_edt.evaluation import match_points
from wsi_edt.maps import decode
from wsi_edt.networks.network import Normalise
from wsi_edt.run import RunOptions

RADIUS_MODEL_PX = 2.0
LOOP_TILE_PX = 512


@dataclass(frozen=True, slots=True, eq=False)
class Looped:
    """What the loop found.

    Attributes
    ----------
    tiles : predicted
    seconds : from opening the slide to the written file
    xy : (N, 2) cells in level-0 px
    l0_per_model_px : the slide's scale
    """

    tiles: int
    seconds: float
    xy: npt.NDArray[np.float64]
    l0_per_model_px: float


def network_for(options: RunOptions, *, bf16: bool) -> nn.Module:
    """The network as it was trained."""
    network: nn.Module = load_network(find_bundle(options.model))
    if bf16:
        network = network.to(memory_format=torch.channels_last).bfloat16()  # type: ignore[call-overload]
    return network


@torch.inference_mode()
def plain_loop(slide: Path, options: RunOptions, *, bf16: bool) -> Looped:
    """Find the slide's cells as a script of twenty lines would."""
    settings = resolved(replace(options, tile_px=LOOP_TILE_PX))
    plan = planned(slide, settings)
    torch.set_num_threads(settings.cells.compute.threads)
    network = network_for(options, bf16=bf16)
    normalisation = find_bundle(options.model).normalisation
    scale = plan.scale.l0_per_model_px
    tiles = [tile for shard in plan.shards for tile in shard.tiles]
    cells: list[dict[str, float]] = []
    started = time.perf_counter()
    handle = openslide.OpenSlide(slide)
    for tile in tiles:
        corner = (round(tile.window.x * scale), round(tile.window.y * scale))
        side = round(LOOP_TILE_PX * scale)
        region = handle.read_region(corner, 0, (side, side))
        white = Image.new("RGB", region.size, (255, 255, 255))
        white.paste(region, mask=region.getchannel("A"))  # beyond the slide
        image = np.asarray(white.resize((LOOP_TILE_PX, LOOP_TILE_PX), Image.Resampling.BILINEAR))
        batch = Normalise(normalisation)(torch.from_numpy(image.copy())[None])
        maps = network(batch.bfloat16() if bf16 else batch.contiguous())[0].float().numpy()
        peaks = decode(maps, settings.cells.decode)
        x, y = peaks.x + tile.window.x, peaks.y + tile.window.y
        for i in np.flatnonzero(tile.core.contains(x, y)):
            cells.append(
                {
                    "x": (float(x[i]) + 0.5) * scale,
                    "y": (float(y[i]) + 0.5) * scale,
                    "class": int(peaks.class_id[i]),
                    "score": float(peaks.score[i]),
                }
            )
    with tempfile.TemporaryFile("w") as file:
        json.dump(cells, file)
    seconds = time.perf_counter() - started
    xy = np.array([(cell["x"], cell["y"]) for cell in cells], dtype=np.float64).reshape(-1, 2)
    return Looped(len(tiles), seconds, xy, scale)


def agreement(
    found: npt.NDArray[np.float64], reference: npt.NDArray[np.float64], *, radius_px: float
) -> float:
    """The share of cells that match one to one, of the larger count."""
    return len(match_points(found, reference, radius_px=radius_px)) / max(len(found), len(reference), 1)


@click.command()
@pace.run_options
def main(slide: Path | None, tiles: int, options: RunOptions) -> None:
    """Print seconds and cells of the loop and of wsi-edt, and their ratio."""
    has_bf16 = resolve_precision("auto", device="cpu") == "bf16"
    with pace.slide_of(slide, options, tiles=tiles) as path:
        loops = {"loop, eager fp32": in_fresh_process(plain_loop, path, options, bf16=False)}
        if has_bf16:
            loops["loop, channels-last bf16"] = in_fresh_process(plain_loop, path, options, bf16=True)
        run = pace.run(path, options)
    reference = loops["loop, eager fp32"]
    radius_px = RADIUS_MODEL_PX * reference.l0_per_model_px
    found = {name: (loop.seconds, loop.xy) for name, loop in loops.items()}
    cells = resolved(options).cells
    compute = cells.compute
    # A tile's core is larger in larger windows: what is compared is the time of the same tissue.
    found[f"wsi-edt, {compute.runtime} {compute.precision}, computing"] = (
        run.tile_seconds * run.tiles,
        run.xy,
    )
    found["wsi-edt, starting and reports included"] = (run.seconds, run.xy)
    print(machine())
    print(
        f"{cells.model}, {compute.threads} threads; {reference.tiles} tiles of the loop, {run.tiles} of wsi-edt\n"
    )
    rows = [
        [
            name,
            f"{seconds:.1f}",
            f"{reference.seconds / seconds:.2f}",
            f"{len(xy):,}",
            f"{agreement(xy, reference.xy, radius_px=radius_px):.2%}",
        ]
        for name, (seconds, xy) in found.items()
    ]
    print(table(("", "seconds", "× faster", "cells", "agreement"), rows))
    if not has_bf16:
        print("\nThis processor doesn't multiply in bfloat16: the loop was not run in it.")


if __name__ == "__main__":
    main()
