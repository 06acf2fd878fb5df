"""What a GPU gives: tiles and mm² a second by batch size, and the share of the rate at which it multiplies matrices.

    python workflows/benchmarks/gpu.py [--model NAME]

The networks are of the model's kind and of each width, with random weights, which cost the same: folded, channels last,
bfloat16, tiles of 512 px. The share counts the folded network's own multiplications and additions against those of a
product of two 8192 × 8192 bfloat16 matrices, measured in the same run. "detect" is the model with copies and peaks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import click
import torch
from make_slide import Mosaic, read_picture
from measuring import machine, table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from wsi_edt.bundles import DEFAULT_MODEL, Bundle, find_bundle
from wsi_edt.detection import Detector
from wsi_edt.networks import build_network, folded

TILE_PX = 512
MATRIX_SIDE = 8192
WIDTHS = (18, 32, 48)
BATCHES = (8, 16, 32, 64)
WARM_UP, LEAST_SECONDS = 3, 2.0
NO_GPU = "torch sees no GPU here; this benchmark needs one."


def rate(work: Callable[[], object]) -> float:
    """How often a second the GPU does the work."""
    for _ in range(WARM_UP):
        work()
    torch.cuda.synchronize()
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < LEAST_SECONDS:
        for _ in range(WARM_UP):
            work()
        torch.cuda.synchronize()
        done += WARM_UP
    return done / (time.perf_counter() - started)


def operations(network: nn.Module) -> int:
    """Multiplications and additions of a tile, as torch counts them; needs no GPU."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        weight = next(network.parameters())
        network(torch.zeros(1, 3, TILE_PX, TILE_PX, dtype=weight.dtype, device=weight.device))
    return int(counter.get_total_flops())


def on_gpu(network: nn.Module) -> nn.Module:
    """The network as the detector has it there: channels last, its body in bfloat16."""
    prepared: nn.Module = network.cuda().to(memory_format=torch.channels_last).bfloat16()  # type: ignore[call-overload]
    return prepared


def matmul_rate() -> float:
    """Operations a second of a product of two matrices."""
    a, b = (torch.randn(MATRIX_SIDE, MATRIX_SIDE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * MATRIX_SIDE**3 * rate(lambda: a @ b)


def tiles_on_gpu(count: int) -> Tensor:
    """A batch as a network takes it, of noise: (count, 3, 512, 512)."""
    return torch.randn(count, 3, TILE_PX, TILE_PX, device="cuda", dtype=torch.bfloat16).to(
        memory_format=torch.channels_last
    )


def core_mm2(bundle: Bundle) -> float:
    """Tissue that one tile accounts for."""
    return ((TILE_PX - 2 * bundle.halo_px) * bundle.mpp / 1000) ** 2


@click.command()
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
def main(model: str) -> None:
    """Print the rates, or say that there is no GPU."""
    if not torch.cuda.is_available():
        raise click.ClickException(NO_GPU)
    bundle = find_bundle(model)
    peak = matmul_rate()
    area = core_mm2(bundle)
    rows = []

    def add(name: str, batch: int, tiles_per_second: float, flop: int) -> None:
        rows.append(
            [
                name,
                str(batch),
                f"{tiles_per_second:.0f}",
                f"{tiles_per_second * area:.1f}",
                f"{1 / (tiles_per_second * area):.3f}",
                f"{tiles_per_second * flop / peak:.1%}",
            ]
        )

    with torch.inference_mode():
        for width in WIDTHS:
            network = folded(build_network(replace(bundle.network, width=width)).eval())
            flop = operations(network)
            network = on_gpu(network)
            for batch in BATCHES:
                per_second = batch * rate(partial(network, tiles_on_gpu(batch)))
                add(f"{bundle.network.architecture} w{width}, network alone", batch, per_second, flop)
    flop = operations(folded(build_network(bundle.network).eval()))
    detector = Detector.load(bundle, settings=bundle.decode, device="cuda", precision="bf16", threads=1)
    picture = Mosaic.of(read_picture(None), width=TILE_PX, height=TILE_PX).period[:TILE_PX, :TILE_PX]
    for batch in BATCHES:
        per_second = batch * rate(partial(detector.detect, picture[None].repeat(batch, axis=0)))
        add(f"{bundle.name}, detect", batch, per_second, flop)
    print(machine())
    print(f"{torch.cuda.get_device_name()}, {peak / 1e12:.0f} TFLOP/s in the product of matrices\n")
    print(table(("", "batch", "tiles/s", "mm²/s", "s/mm²", "of the matmul rate"), rows))


if __name__ == "__main__":
    main()
