"""What each way of running the network costs a tile: torch as trained, folded, channels last, compiled; OpenVINO.

    python workflows/benchmarks/runtimes.py [--tile-px 512] [--threads 2] [--device cpu]

A batch of four tiles of a picture, each way in a process of its own: seconds until the first batch is done (building and
compiling included), seconds a tile after that, and how far the maps are from those of the network as it was trained.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import click
import numpy as np
import numpy.typing as npt
import torch
from make_slide import Mosaic, read_picture
from measuring import in_fresh_process, machine, table
from torch import nn

from wsi_edt.bundles import DEFAULT_MODEL, find_bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.detection.compute import Compute, Device, Precision, resolve_precision
from wsi_edt.detection.detector import Detector
from wsi_edt.networks.network import Normalise

BATCH = 4
REPEATS = 5
Maps = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """What one way took.

    Attributes
    ----------
    first : seconds until the first batch was done
    tile : seconds a tile after that, the median of batches
    maps : (B, C, H, W) of the batch
    """

    first: float
    tile: float
    maps: Maps


def tiles(side: int) -> npt.NDArray[np.uint8]:
    """A batch of tiles, each another part of the picture: (B, side, side, 3)."""
    picture = Mosaic.of(read_picture(None), width=2 * side, height=2 * side).period
    picture = np.tile(picture, (-(-2 * side // picture.shape[0]), -(-2 * side // picture.shape[1]), 1))
    return np.stack([picture[y : y + side, x : x + side] for y in (0, side) for x in (0, side)])


def in_torch(
    model: str, side: int, *, threads: int, device: str, fold: bool, last: bool, compiled: bool, bf16: bool
) -> Ran:
    """The network in torch."""
    torch.set_num_threads(threads)
    bundle = find_bundle(model)
    images = torch.from_numpy(tiles(side))

    def build() -> Callable[[], Maps]:
        trained = load_network(bundle)
        network: nn.Module = (trained.folded() if fold else trained).to(device)
        normalise = Normalise(bundle.normalisation).to(device)
        if last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if bf16:
            network = network.bfloat16()
        run = torch.compile(network) if compiled else network
        kind = torch.bfloat16 if bf16 else torch.float32

        def maps() -> Maps:
            batch = normalise(images.to(device))
            found: Maps = run(batch.to(kind) if last else batch.to(kind).contiguous()).float().cpu().numpy()
            return found

        return maps

    with torch.inference_mode():
        return timed(build)


def in_openvino(model: str, side: int, *, threads: int, precision: Precision) -> Ran:
    """The network in OpenVINO, as `wsi-edt run` has it."""
    bundle = find_bundle(model)
    images = tiles(side)

    def build() -> Callable[[], Maps]:
        compute = Compute("cpu", "openvino", precision, threads)
        detector = Detector.load(bundle, settings=bundle.decode, compute=compute)
        return lambda: detector.maps(images)

    return timed(build)


def timed(build: Callable[[], Callable[[], Maps]]) -> Ran:
    """Build, run once, run again and again."""
    started = time.perf_counter()
    run = build()
    maps = run()
    first = time.perf_counter() - started
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return Ran(first, statistics.median(seconds) / BATCH, maps)


@click.command()
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--tile-px", type=click.IntRange(min=32), default=512, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(model: str, tile_px: int, threads: int, device: Device) -> None:
    """Print a row for each way that this machine has."""
    has_bf16 = resolve_precision("auto", device=device) == "bf16"
    plain = {"fold": False, "last": False, "compiled": False, "bf16": False}
    ways: dict[str, dict[str, bool]] = {
        "torch, as trained": plain,
        "torch, folded": plain | {"fold": True},
        "torch, folded, channels last": plain | {"fold": True, "last": True},
        "torch, folded, channels last, compiled": plain | {"fold": True, "last": True, "compiled": True},
    }
    if has_bf16:
        ways |= {f"{name}, bf16": way | {"bf16": True} for name, way in list(ways.items())[2:]}
    found = {
        name: in_fresh_process(in_torch, model, tile_px, threads=threads, device=device, **way)
        for name, way in ways.items()
    }
    if device == "cpu":
        own = resolve_precision("auto", device=device, runtime="openvino")
        precisions: tuple[Precision, ...] = ("fp32",) if own == "fp32" else ("fp32", own)
        for precision in precisions:
            found[f"OpenVINO, {precision}"] = in_fresh_process(
                in_openvino, model, tile_px, threads=threads, precision=precision
            )
    reference = found["torch, as trained"]
    print(machine())
    print(f"{model}, tiles of {tile_px} px, {device}, {threads} threads\n")
    rows = [
        [
            name,
            f"{ran.first:.1f}",
            f"{ran.tile:.3f}",
            f"{reference.tile / ran.tile:.2f}",
            f"{np.abs(ran.maps - reference.maps).max():.1e}",
        ]
        for name, ran in found.items()
    ]
    print(table(("", "first batch, s", "s/tile", "× faster", "largest difference"), rows))


if __name__ == "__main__":
    main()
