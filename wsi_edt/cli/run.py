"""`wsi-edt run`: slides in, results out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsi_edt.cli.conventions import conventions_of, conventions_options
from wsi_edt.cli.paths import InPath, OutFolder
from wsi_edt.errors import OutputError, printable

if TYPE_CHECKING:
    from wsi_edt.report.rows import SummaryRow
    from wsi_edt.run.outcomes import RunResult

T = TypeVar("T")
Job = Callable[..., "RunResult"]

_MOST_ROWS = 20  # of the closing table; summary.csv has them all


def _numbers(context: click.Context, parameter: click.Parameter, words: str | None) -> tuple[int, ...] | None:
    """The numbers in "0,2"."""
    if words is None:
        return None
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{words!r} isn't a list of GPU numbers (for example 0,2)") from error


def _series(
    context: click.Context, parameter: click.Parameter, words: str | None
) -> int | Literal["all"] | None:
    """The number of a picture, or all scans."""
    if words is None:
        return None
    if words == "all":
        return "all"
    if not words.isdecimal() or int(words) < 1:
        raise click.BadParameter(f"{words!r} is neither the number of a picture, from 1, nor all")
    return int(words)


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(readable=False), metavar="INPUT...")
@click.option("--out", required=True, type=OutFolder(file_okay=True), help="The results folder.")
@click.option("--model", help="A shipped model, or a model's folder.  [default: the shipped Ki-67 model]")
@click.option("--mpp", "fallback_mpp", type=float, help="µm per px, for slides and images that state none.")
@click.option(
    "--series",
    metavar="N|all",
    callback=_series,
    help="Which picture of a file of several, as wsi-edt info numbers them; all takes each scan.  [default: its one scan]",
)
@click.option(
    "--allow-coarse", is_flag=True, help="Score slides of more than 1 µm/px, too coarse for nuclei."
)
@click.option(
    "--icc",
    is_flag=True,
    help="Apply the slides' ICC profiles. Off by default: the shipped model was trained on colours as they are stored.",
)
@click.option(
    "--roi",
    type=InPath(),
    metavar="PATH",
    help="Look at these regions alone: a file of them (GeoJSON of QuPath, XML of ImageScope or ASAP), or a folder with one"
    " for each slide, called as the slide is.",
)
@click.option("--no-tissue-mask", is_flag=True, help="Look at the whole slide, glass included.")
@click.option(
    "--threshold", type=float, help="The score that a cell must exceed, instead of the model's own."
)
@click.option(
    "--tile-px",
    type=int,
    help="Side of what the network sees, a multiple of 32; 512 suits a small memory.  [default: 1024]",
)
@click.option(
    "--batch-size", type=click.IntRange(1, 256), help="Tiles the network sees at once.  [default: 4]"
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="[default: auto]")
@click.option(
    "--runtime",
    type=click.Choice(["auto", "torch", "openvino"]),
    help="What runs the network: OpenVINO on x86-64 processors, else torch.  [default: auto]",
)
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]), help="[default: auto]")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Worker processes on this machine; the cells don't depend on it.  [default: cores / threads; up to four per GPU]",
)
@click.option(
    "--devices",
    metavar="NUMBERS",
    callback=_numbers,
    help="Use only these GPUs of this machine, as nvidia-smi numbers them (for example 0,2).  [default: all]",
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
    "--geometry", type=click.Choice(["point", "circle"]), help="How QuPath draws a cell.  [default: point]"
)
@click.option(
    "--origin",
    type=click.Choice(["qupath", "openslide"]),
    help="Coordinates as QuPath shows them, or of the file's level 0.  [default: qupath]",
)
@conventions_options
@click.option("--gzip", is_flag=True, help="Write cells.geojson.gz; QuPath opens it as it is.")
@click.option("--pdf", is_flag=True, help="Also write report.pdf, of two A4 pages; needs wsi-edt[pdf].")
@click.option(
    "--parquet", is_flag=True, help="Also write cells.parquet, a table for pandas, R, DuckDB and others."
)
@click.option(
    "--keep-maps",
    is_flag=True,
    help="Keep the network's maps as maps.ome.zarr (OME-Zarr 0.4, for napari or QuPath): 7 MB and 80 files per mm² "
    "of tissue. Workers write them: they must see --out.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace results of other settings, or of a file that changed."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="List the slides with tissue, tiles, estimated time and what would fail; compute and write nothing.",
)
def run(
    inputs: tuple[str, ...],
    *,
    out: Path,
    no_tissue_mask: bool,
    dry_run: bool,
    **given: Any,  # noqa: ANN401 - click's
) -> int:
    """Find and count the nuclei of slides, positive and negative.

    INPUT is a slide or a folder of slides, searched to any depth, or the URL of one (for example s3://bucket/slides); a
    pattern in quotes ('slides/**/*.svs'); or a table (.csv, .tsv, .txt) with a line per slide and columns path, mpp, name,
    case, series, regions, of which path alone is needed; regions is a file of areas drawn on the slide, which get numbers
    of their own beside the whole tissue. With --roi nothing but regions is looked at and reported. What is drawn with a
    class Ignore* counts nowhere.
    Each slide gets a folder in --out with cells.geojson for QuPath, ki67.json and report.html; summary.csv and
    report.html in --out list them all. The same command continues a run that was stopped. A slide that fails gets its
    row with the reason, the others go on, and the exit code is 1. So does one that takes longer to open than 5 minutes and
    10 more per GB, or longer for a shard than 10 minutes and one more per tile.
    """
    # Here and not above: --help needs none of it.
    from wsi_edt.detection.compute import ComputeOptions
    from wsi_edt.results.outputs import OutputOptions
    from wsi_edt.run import RunOptions, preview_slides, run_slides

    conventions = conventions_of(given)
    compute, output = _taken(ComputeOptions, given), _taken(OutputOptions, given)
    options = _taken(
        RunOptions,
        given,
        compute=compute,
        output=output,
        conventions=conventions,
        tissue_mask=not no_tissue_mask,
    )
    assert not given, f"no option takes {given}"
    if dry_run:
        from wsi_edt.cli.preview import Notes, show_previews

        return show_previews(preview_slides(inputs, out, options, progress=Notes()))
    return run_and_show(partial(run_slides, inputs, out, options), out)


def _taken(kind: type[T], given: dict[str, Any], **others: object) -> T:
    """Options of that kind; what wasn't given is left to its own default."""
    assert is_dataclass(kind)
    names = [field.name for field in fields(kind) if field.name in given]
    values = {name: given.pop(name) for name in names}
    return kind(**{name: value for name, value in values.items() if value is not None}, **others)


def run_and_show(job: Job, out: Path) -> int:
    """Do a run's work with a display, until its end or a signal; return the exit code.

    Parameters
    ----------
    job : takes `progress` and `stop`, as `run_slides` does
    out : the results folder
    """
    from wsi_edt.cli.interrupt import stopped_by_signals
    from wsi_edt.cli.main import INTERRUPTED
    from wsi_edt.cli.run_display import LineDisplay, TerminalDisplay
    from wsi_edt.results import names
    from wsi_edt.run.progress import counted
    from wsi_edt.run.stop import StopRequest

    console = Console(force_terminal=False if _is_dumb(os.environ) else None)
    display = TerminalDisplay(console) if console.is_terminal else LineDisplay(sys.stdout)
    stop = StopRequest()
    with stopped_by_signals(stop, sentence=display.stopped), display as progress:
        try:
            result = job(progress=progress, stop=stop)
        except OutputError:  # no room, for example: main says it
            if display.has_begun:
                click.echo(display.stopped(), err=True)
            raise
    if result.rows:  # a run that was stopped may have none
        _print_rows(console, result.rows)
        failed = f", {result.failed} failed" if result.failed else ""
        report = out / names.BATCH_REPORT
        console.print(
            Text(f"{counted(len(result.rows), 'slide')}{failed}. Results: {printable(str(report))}")
        )
    if result.unfinished:
        click.echo(display.stopped(), err=True)
        return INTERRUPTED
    return 1 if result.failed else 0


def _is_dumb(environment: Mapping[str, str]) -> bool:
    """Whether a terminal there would print cursor codes instead of obeying them."""
    return sys.platform != "win32" and environment.get("TERM", "") in ("", "dumb", "unknown")


def _print_rows(console: Console, rows: Sequence[SummaryRow]) -> None:
    """Print the slides with their index; those that failed come first where there are too many to print."""
    shown = sorted(rows, key=lambda row: row.error is None)[:_MOST_ROWS]
    with_verdicts = any(row.verdict for row in shown)
    table = Table(box=None, pad_edge=False)
    table.add_column("slide", overflow="fold")
    table.add_column("Ki-67", no_wrap=True)
    table.add_column("cells", justify="right", no_wrap=True)
    if with_verdicts:
        table.add_column("verdict", overflow="fold")
    table.add_column("remarks", overflow="fold")
    for row in sorted(shown, key=lambda row: row.slide):
        cells = "" if row.total is None else f"{row.total:,}"
        few = "few cells" if row.whole is not None and row.whole.few_cells else ""
        remark = row.reason or few
        status = "" if row.status == "done" else str(row.status)
        note = ": ".join(word for word in (status, remark) if word)
        note = ", ".join(
            word
            for word in (note, row.quality, row.threshold, "no hotspot" if row.no_hotspot else "")
            if word
        )
        table.add_row(
            Text(printable(row.slide)),
            row.index_words,
            cells,
            *([row.verdict] if with_verdicts else []),
            Text(printable(note)),
        )
    console.print(table)
    for reason in sorted({row.no_hotspot for row in shown if row.no_hotspot}):
        console.print(Text(reason))
    for row in sorted(shown, key=lambda row: row.slide):
        if row.whole is not None and row.regions:
            console.print(Text(printable(f"{row.slide}, {row.whole.name}; {row.regions}")))
    if len(rows) > len(shown):
        console.print(Text(f"and {len(rows) - len(shown)} more: see summary.csv"))
