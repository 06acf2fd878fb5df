"""`wsi-edt run`: slides in, results out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from wsi_edt.bundles import DEFAULT_MODEL
from wsi_edt.export.qupath import Geometry
from wsi_edt.pipeline.cluster import connected_workers, local_workers
from wsi_edt.pipeline.config import Origin, RunConfig
from wsi_edt.pipeline.discover import find_slides
from wsi_edt.pipeline.progress import LineProgress, TerminalProgress, outcome
from wsi_edt.pipeline.resolve import Wishes, resolve
from wsi_edt.pipeline.run import PoolOpener, RunResult
from wsi_edt.pipeline.run import run as run_pipeline
from wsi_edt.pipeline.worker import DetectorSpec, hardware

_MOST_ROWS = 20  # of the closing table; summary.csv has them all


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The results folder.")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="A shipped model, or a model's folder.")
@click.option("--mpp", type=float, help="µm per px, for slides and images that state none.")
@click.option("--no-tissue-mask", is_flag=True, help="Look at the whole slide, glass and all.")
@click.option("--threshold", type=float, help="Evidence that a cell must exceed, instead of the model's own.")
@click.option("--tile-px", type=int, default=512, show_default=True, help="Side of what the network sees.")
@click.option("--batch-size", type=int, help="Tiles the network sees at once.  [default: 4, on a GPU 16]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]), default="auto", show_default=True)
@click.option("--workers", type=int, default=1, show_default=True, help="Worker processes on this machine.")
@click.option("--threads", type=int, help="Threads of each worker's network.  [default: the cores, shared out]")
@click.option("--scheduler", metavar="ADDRESS", help="Use the workers of this Dask scheduler (tcp://host:8786).")
@click.option(
    "--geometry",
    type=click.Choice(["point", "circle"]),
    default="point",
    show_default=True,
    help="How a cell is drawn in QuPath.",
)
@click.option(
    "--origin",
    type=click.Choice(["qupath", "openslide"]),
    default="qupath",
    show_default=True,
    help="Coordinates as QuPath shows them, or of the file's level 0.",
)
@click.option("--gzip", is_flag=True, help="Write cells.geojson.gz; QuPath opens it as it is.")
@click.option("--overwrite", is_flag=True, help="Replace results of other settings or of a file that changed.")
def run(
    inputs: tuple[Path, ...],
    *,
    out: Path,
    model: str,
    mpp: float | None,
    no_tissue_mask: bool,
    threshold: float | None,
    tile_px: int,
    batch_size: int | None,
    device: str,
    precision: str,
    workers: int,
    threads: int | None,
    scheduler: str | None,
    geometry: Geometry,
    origin: Origin,
    gzip: bool,
    overwrite: bool,
) -> int:
    """Find and score the nuclei of slides.

    INPUT is a slide or a folder of slides, searched to any depth. Each slide gets a folder in --out with cells.geojson
    for QuPath, ki67.json and report.html; summary.csv and report.html there tell of all. The same command continues a
    run that was stopped. A slide that fails gets its row with the reason, the others go on, and the exit code is 1.
    """
    wishes = Wishes(
        model=model,
        mpp=mpp,
        tissue_mask=not no_tissue_mask,
        tile_px=tile_px,
        batch_size=batch_size,
        threshold=threshold,
        device=device,
        precision=precision,
        threads=threads,
        geometry=geometry,
        origin=origin,
        gzip=gzip,
        overwrite=overwrite,
    )
    console = Console()
    found = find_slides(inputs, out=out, with_images=mpp is not None)
    if found.images_left_out:
        console.print(f"{found.images_left_out} PNG or JPEG images are left out; pass --mpp to take them as slides")
    with ExitStack() as stack:
        open_pool: PoolOpener
        if scheduler is not None:
            cluster = stack.enter_context(connected_workers(scheduler))
            machines = cluster.hardware(device, precision)
        else:
            machines = (hardware(device, precision),) * workers
        config = resolve(wishes, machines, slides=found.slides, out=out)
        ...
    return 0
