"""`wsi-edt doctor`: would a run work here?"""

from __future__ import annotations

from pathlib import Path

import click

from wsi_edt.cli.paths import OutFolder

_COLOURS = {"OK": "green", "warning": "yellow", "problem": "red"}


@click.command()
@click.option(
    "--scheduler", metavar="ADDRESS", help="Ask the workers of this Dask scheduler too (tcp://host:8786)."
)
@click.option("--model", metavar="NAME", help="A shipped model, or a model's folder.  [default: as in run]")
@click.option(
    "--out",
    type=OutFolder(file_okay=True),
    default=Path(),
    help="The results folder, whose disk is looked at.  [default: here]",
)
def doctor(scheduler: str | None, model: str | None, out: Path) -> int:
    """Say whether a run would work here: versions, formats, devices, disk, model, cluster.

    A line each: OK, warning or problem, with the remedy. The exit code is 1 where there is a problem.
    """
    from wsi_edt.doctor import Level, examine

    problems = 0
    for finding in examine(model=model, out=out, scheduler=scheduler):
        problems += finding.level is Level.PROBLEM
        level = click.style(f"{finding.level:<7}", fg=_COLOURS[finding.level])
        click.echo(f"{level}  {finding.check:<21}  {finding.sentence}")
    if problems:
        click.echo(f"A run may not work here: {problems} problem{'' if problems == 1 else 's'}.")
        return 1
    click.echo("A run works here.")
    return 0
