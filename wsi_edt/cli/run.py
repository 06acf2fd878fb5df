"""`wsi-edt run`: slides in, results out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsi_edt.cli.paths import OutFolder

if TYPE_CHECKING:
    from wsi_edt.report.rows import SummaryRow

DEFAULT_MODEL = "ki67-m-hrnet-w18"  # bundles.DEFAULT_MODEL, whose import would take torch with it
_MOST_ROWS = 20  # of the closing table; summary.csv has them all


def _numbers(context: click.Context, parameter: click.Parameter, words: str | None) -> tuple[int, ...] | None:
    """The numbers in "0,2"."""
    if words is None:
        return None
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{words!r} is no list of GPU numbers (for example 0,2)") from error


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(), metavar="INPUT...")
@click.option("--out", required=True, type=OutFolder(file_okay=True), help="The results folder.")
@click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, help="A shipped model, or a model's folder."
)
@click.option("--mpp", type=float, help="µm per px, for slides and images that state none.")
@click.option("--no-tissue-mask", is_flag=True, help="Look at the whole slide, glass and all.")
@click.option("--threshold", type=float, help="Evidence that a cell must exceed, instead of the model's own.")
@click.option(
    "--tile-px",
    type=int,
    default=1024,
    show_default=True,
    help="Side of what the network sees, a multiple of 32; 512 suits a small memory.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, 256),
    help="Tiles the network sees at once.  [default: 4]",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--runtime",
    type=click.Choice(["auto", "torch", "openvino"]),
    default="auto",
    show_default=True,
    help="What runs the network: OpenVINO on x86-64 processors, else torch.",
)
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]), default="auto", show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Worker processes on this machine; the cells don't depend on it.  [default: cores / threads; up to four per GPU]",
)
@click.option(
    "--devices",
    metavar="NUMBERS",
    callback=_numbers,
    help="Use these GPUs of this machine alone, as nvidia-smi numbers them (for example 0,2).  [default: all]",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    help="Threads of each worker's network, whatever the number of workers: scores depend on it in their last digits."
    "  [default: 2, or as in the results that are there]",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="Use the workers of this Dask scheduler (tcp://host:8786)."
)
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
@click.option(
    "--overwrite", is_flag=True, help="Replace results of other settings or of a file that changed."
)
def run(
    inputs: tuple[str, ...],
    *,
    out: Path,
    model: str,
    mpp: float | None,
    no_tissue_mask: bool,
    threshold: float | None,
    tile_px: int,
    batch_size: int | None,
    device: str,
    runtime: str,
    precision: str,
    workers: int | None,
    devices: tuple[int, ...] | None,
    threads: int | None,
    scheduler: str | None,
    geometry: Literal["point", "circle"],
    origin: Literal["qupath", "openslide"],
    gzip: bool,
    overwrite: bool,
) -> int:
    """Find and score the nuclei of slides.

    INPUT is a slide or a folder of slides, searched to any depth, or the URL of one (for example s3://bucket/slides).
    Each slide gets a folder in --out with cells.geojson for QuPath, ki67.json and report.html; summary.csv and
    report.html there tell of all. The same command continues a run that was stopped. A slide that fails gets its row
    with the reason, the others go on, and the exit code is 1.
    """
    # Here and not above: torch and Dask take seconds to import. --help needs neither, and wrong paths are known before.
    from wsi_edt.results.lock import refuse_unusable_out
    from wsi_edt.run.discover import find_slides

    refuse_unusable_out(out)
    find_slides(inputs, out=out, with_images=mpp is not None)

    from wsi_edt.cli.interrupt import stopped_by_signals
    from wsi_edt.cli.main import INTERRUPTED
    from wsi_edt.run import Wishes, score_slides
    from wsi_edt.run.progress import LineProgress, TerminalProgress, counted
    from wsi_edt.run.stop import StopRequest

    wishes = Wishes(
        model=model,
        mpp=mpp,
        tissue_mask=not no_tissue_mask,
        tile_px=tile_px,
        batch_size=batch_size,
        threshold=threshold,
        device=device,
        runtime=runtime,
        precision=precision,
        threads=threads,
        geometry=geometry,
        origin=origin,
        gzip=gzip,
        overwrite=overwrite,
    )
    console = Console(force_terminal=False if _is_dumb(os.environ) else None)
    display = TerminalProgress(console) if console.is_terminal else LineProgress(sys.stdout)
    stop = StopRequest()
    with stopped_by_signals(stop, sentence=display.stopped), display as watcher:
        result = score_slides(
            inputs,
            out,
            wishes=wishes,
            workers=workers,
            devices=devices,
            scheduler=scheduler,
            watcher=watcher,
            stop=stop,
        )
    if result.rows:  # a run that was stopped may have none
        _print_rows(console, result.rows)
        failed = f", {result.failed} failed" if result.failed else ""
        console.print(Text(f"{counted(len(result.rows), 'slide')}{failed}. Results: {out / 'report.html'}"))
    if result.unfinished:
        click.echo(display.stopped(), err=True)
        return INTERRUPTED
    return 1 if result.failed else 0


def _is_dumb(environment: Mapping[str, str]) -> bool:
    """Whether a terminal there would show cursor codes as they are."""
    return sys.platform != "win32" and environment.get("TERM", "") in ("", "dumb", "unknown")


def _print_rows(console: Console, rows: Sequence[SummaryRow]) -> None:
    """Print the slides with their index; those that failed come first where there are too many to print."""
    shown = sorted(rows, key=lambda row: row.error is None)[:_MOST_ROWS]
    table = Table("slide", "Ki-67", "cells", "", box=None, pad_edge=False)
    for row in sorted(shown, key=lambda row: row.slide):
        index = "" if row.index_percent is None else f"{row.index_percent:.1f} %"
        cells = "" if row.total is None else f"{row.total:,}"
        remark = row.reason or ("few cells" if row.few_cells else "")
        status = "" if row.status == "done" else str(row.status)
        note = ": ".join(word for word in (status, remark) if word)
        table.add_row(Text(row.slide, overflow="fold"), index, cells, note)
    console.print(table)
    if len(rows) > len(shown):
        console.print(Text(f"and {len(rows) - len(shown)} more: see summary.csv"))
