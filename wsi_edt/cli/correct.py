"""`wsi-edt correct RESULTS/slide edited.geojson`: what was edited in QuPath becomes corrections."""

from __future__ import annotations

from getpass import getuser
from pathlib import Path

import click

from wsi_edt.cli.paths import InPath
from wsi_edt.errors import UsageError, printable


@click.command()
@click.argument("results", type=InPath())
@click.argument("edited", type=InPath())
@click.option("--who", metavar="NAME", help="Whose corrections they are.  [default: this account's name]")
@click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="NAME=CLASS",
    help="What a class of the file stands for: positive, negative, nucleus or ignore, which deletes its cells "
    "('Immune cells=ignore').",
)
@click.option(
    "--partial", is_flag=True, help="The file has a part of the cells: delete none that aren't in it."
)
@click.option("--dry-run", is_flag=True, help="Say what would be corrected, and store nothing.")
def correct(
    results: Path,
    edited: Path,
    *,
    who: str | None,
    classes: tuple[str, ...],
    partial: bool,
    dry_run: bool,
) -> int:
    """Store what was edited in QuPath as corrections of a slide.

    RESULTS is the folder of one slide in a results folder. EDITED is its cells.geojson as QuPath exported it again, with
    cells deleted, added or of other classes, and areas drawn. Cells that aren't in the file count as deleted; areas become
    regions, those of a class Ignore* are excluded. The differences go to corrections.json in the slide's folder, beside
    what was corrected before; the index with and without them is printed. wsi-edt report writes the files with them.
    """
    from wsi_edt.ki67.text import with_interval
    from wsi_edt.qupath.classes import ClassNames
    from wsi_edt.run.correct import correct_slide

    outcome = correct_slide(
        results,
        edited,
        who=_account() if who is None else who,
        classes=ClassNames.from_options(classes),
        partial=partial,
        dry_run=dry_run,
    )
    for line in outcome.in_words:
        click.echo(printable(line))
    if not outcome.corrections:
        click.echo("Nothing was edited.")
        return 0
    for name, area in (("before", outcome.before.whole), ("after", outcome.after.whole)):
        index = (
            with_interval(area.index_percent, area.index_interval) if area.assessable else "not assessable"
        )
        click.echo(f"Ki-67 index {name}: {index}, {area.total:,} cells")
    if not dry_run:
        click.echo(printable(f"Stored. Reports are written with it by: wsi-edt report {results}"))
    return 0


def _account() -> str:
    """The name of whoever runs this; UsageError if the system doesn't know."""
    try:
        return getuser()
    except (OSError, KeyError) as error:
        raise UsageError("this account has no name", remedy="pass --who NAME") from error
