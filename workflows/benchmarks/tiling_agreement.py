"""How well tiles agree with the whole image, by halo, tile size, runtime and precision; and what each costs.

    python workflows/benchmarks/tiling_agreement.py SLIDE [SLIDE …] [--model NAME] [--mpp MPP]

The reference is the slide as one tile, computed by torch in float32. Agreement is the share of cells matched one to one
within 2 model px, of the larger of the two counts; cost is the px that the network sees per px of the slide.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch

from wsi_edt.bundles import DEFAULT_MODEL, Bundle, find_bundle
from wsi_edt.detection.compute import Compute, Precision, RuntimeName, resolve_precision, resolve_runtime
from wsi_edt.detection.detector import Detector
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.shards import detect_shard
from wsi_edt.detection.stitching import stitch
from wsi_edt.evaluation import match_points
from wsi_edt.geometry import Scale
from wsi_edt.slides import SlideSource, TileGrid, open_slide, required_mpp, shards

RADIUS_PX = 2.0
HALOS_PX = (32, 64, 96, 128)
TILES_PX = (768, 1024)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to cut and run a slide."""

    name: str
    tile_px: int
    halo_px: int
    precision: Precision = "fp32"
    runtime: RuntimeName = "torch"


def detect(
    path: Path, mpp: float | None, bundle: Bundle, variant: Variant
) -> tuple[TilePeaks, TileGrid, float]:
    """The slide's peaks, its grid and the seconds that they took."""
    with open_slide(path, mpp) as slide:
        extent = Scale(required_mpp(slide), bundle.model_mpp).model_extent(*slide.dimensions)
    grid = TileGrid(extent, tile_px=variant.tile_px, halo_px=variant.halo_px)
    compute = Compute("cpu", variant.runtime, variant.precision, torch.get_num_threads())
    detector = Detector.load(bundle, settings=bundle.decode, compute=compute)
    begun = time.perf_counter()
    parts = [
        detect_shard(
            shard,
            detector.detect,
            source=SlideSource(path, mpp),
            model_mpp=bundle.model_mpp,
            batch_size=1,
            readers=2,
        )
        for shard in shards(grid, None)
    ]
    seconds = time.perf_counter() - begun
    decode = bundle.decode
    peaks = stitch(
        TilePeaks.concatenate(parts), grid, radius_px=decode.radius_px, by_class=decode.is_separate
    )
    return peaks, grid, seconds


def whole(path: Path, mpp: float | None, bundle: Bundle) -> TilePeaks:
    """The slide's peaks from one tile that holds it all."""
    with open_slide(path, mpp) as slide:
        extent = Scale(required_mpp(slide), bundle.model_mpp).model_extent(*slide.dimensions)
    halo = max(HALOS_PX)
    side = -(-max(extent) // bundle.network.stride) * bundle.network.stride + 2 * halo
    return detect(path, mpp, bundle, Variant("whole", side, halo))[0]


def agreement(found: TilePeaks, reference: TilePeaks) -> float:
    """The share of cells that match, of the larger count."""
    points = [np.column_stack([peaks.x, peaks.y]).astype(np.float64) for peaks in (found, reference)]
    return len(match_points(*points, radius_px=RADIUS_PX)) / max(len(found), len(reference), 1)


@click.command()
@click.argument(
    "slides", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--mpp", type=float, help="µm/px of slides that state none.")
def main(slides: Sequence[Path], model: str, mpp: float | None) -> None:
    """Print the table."""
    bundle = find_bundle(model)
    runtime, own = resolve_runtime("auto", device="cpu"), resolve_precision("auto", device="cpu")
    halo_px = bundle.halo_px
    variants = [Variant(f"tile 512, halo {halo}, {runtime}", 512, halo, runtime=runtime) for halo in HALOS_PX]
    variants += [
        Variant(f"tile {tile}, halo {halo_px}, {runtime}", tile, halo_px, runtime=runtime)
        for tile in TILES_PX
    ]
    variants.append(Variant(f"tile 512, halo {halo_px}, torch", 512, halo_px))
    if own != "fp32":
        variants += [
            Variant(f"tile 1024, halo {halo_px}, {name}, {own}", 1024, halo_px, own, name)
            for name in dict.fromkeys((runtime, "torch"))
        ]
    references = [whole(path, mpp, bundle) for path in slides]
    print(f"{bundle.name} {bundle.version}")
    for path, reference in zip(slides, references, strict=True):
        print(f"{path.name}: {len(reference)} cells in one tile")
    print(f"{'':44} {'cost':>5} {'seconds':>8}  agreement within {RADIUS_PX:g} px, by slide; all")
    for variant in variants:
        shares, seconds, matched, total = [], 0.0, 0.0, 0
        for path, reference in zip(slides, references, strict=True):
            peaks, grid, took = detect(path, mpp, bundle, variant)
            share = agreement(peaks, reference)
            shares.append(share)
            seconds += took
            matched += share * max(len(peaks), len(reference))
            total += max(len(peaks), len(reference))
        cost = (variant.tile_px / grid.core_px) ** 2
        listed = " ".join(f"{share:8.2%}" for share in shares)
        print(
            f"{variant.name:44} {cost:5.2f} {seconds:8.1f}  {listed}; {matched / max(total, 1):.2%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
