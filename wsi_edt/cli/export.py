"""`wsi-edt export RESULTS --to FORMAT`: the cells of finished slides in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wsi_edt.cli.paths import OutFolder
from wsi_edt.errors import printable

if TYPE_CHECKING:
    from wsi_edt.run.export import Exported

FORMATS = ("parquet", "csv", "geojson", "anndata")  # as `wsi_edt.results.exports` has them


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--to", "form", required=True, type=click.Choice(FORMATS), help="The format.")
@click.option("--out", type=OutFolder(file_okay=True), help="A folder for the files.  [default: RESULTS]")
@click.option(
    "--geometry", type=click.Choice(["point", "circle"]), help="Of geojson.  [default: as the run wrote it]"
)
@click.option(
    "--origin",
    type=click.Choice(["qupath", "openslide"]),
    help="Of the geometry in geojson and parquet: px as QuPath shows them, or of the file's level 0.  [default: as the "
    "run wrote it]",
)
@click.option(
    "--gzip/--no-gzip",
    default=None,
    help="Of geojson: write cells.geojson.gz, or cells.geojson.  [default: as the run wrote it]",
)
def export(results: Path, *, form: str, out: Path | None, **given: Any) -> int:  # noqa: ANN401 - click's
    """Write the cells of finished slides in another format, as the slides were last reported; no network runs.

    RESULTS is the --out of a run, or the folder of one slide in it. Each slide's cells go to its folder there, as
    cells.parquet (GeoParquet, for pandas, R, DuckDB), cells.csv, cells.geojson (for QuPath) or cells.h5ad (AnnData, for
    scanpy and squidpy; needs wsi-edt[anndata]); with --out, to folders of the same names there. A run that writes a
    slide's results again removes tables that it wasn't asked for, as they are of other cells then; wsi-edt report writes
    them again. Slides that aren't finished, or failed in their run, are named and left out. The exit code is 0 if every
    finished slide was written; 1 if one couldn't be, if none is finished, as where RESULTS is the folder of such a slide,
    or if nothing can be written there; 2 for a wrong argument.
    """
    from wsi_edt.run.export import export_slides
    from wsi_edt.run.progress import counted

    options = {name: value for name, value in given.items() if value is not None}
    result = export_slides(results, form, out=out, given=options, told=_tell)
    if result.unfinished:
        names = ", ".join(result.unfinished)
        click.echo(printable(f"Left out, as not finished: {names}"), err=True)
    for slide, reason in result.failed_before:
        click.echo(printable(f"Left out, as failed in its run: {slide} ({reason})"), err=True)
    if result.why_none is not None:
        raise result.why_none
    failed = f", {result.failed} failed" if result.failed else ""
    click.echo(f"{counted(len(result.slides), 'slide')}{failed}")
    return 1 if result.failed else 0


def _tell(slide: Exported) -> None:
    if slide.error is None:
        click.echo(printable(f"{slide.path}: {slide.cells:,} cells"))
    else:
        click.echo(printable(f"Error: {slide.slide}: {slide.error}"), err=True)
