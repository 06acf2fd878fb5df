"""`wsi-edt qupath-script RESULTS`: a script that takes results into a QuPath project, or edits out of it."""

from __future__ import annotations

from pathlib import Path

import click

from wsi_edt.cli.paths import InPath
from wsi_edt.errors import printable


@click.command()
@click.argument("results", type=InPath())
@click.option("--export", "exports", is_flag=True, help="The script that exports what was edited in QuPath.")
def qupath_script(results: Path, *, exports: bool) -> int:
    """Print a script for QuPath: wsi-edt qupath-script RESULTS > import.groovy

    RESULTS is the --out of a run, or the folder of one slide in it. In QuPath open a project, then Automate > Script
    editor, open the script and run it: slides that the project lacks are added, and each gets its cells. After editing,
    the script that --export prints writes edited.geojson into each slide's results, for wsi-edt correct.
    """
    from wsi_edt.run.qupath_script import script_of

    text, left_out = script_of(results, "export" if exports else "import")
    for line in left_out:
        click.echo(f"Left out: {printable(line)}", err=True)
    click.echo(text, nl=False)
    return 0
