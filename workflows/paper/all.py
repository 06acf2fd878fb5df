"""All tables and figures of the paper that are tables or curves, one after another.

Run ``python workflows/paper/all.py --data DATA --smoke`` to try every recipe; README.md has the options. A recipe that
can't run, for want of its set for example, says so; the others go on, and the exit code is 1. The pictures of figures.py
are a command of their own.
"""

from __future__ import annotations

import importlib
import sys
import time

import click

RECIPES = (*(f"table{number}" for number in range(2, 11)), "figure7", "figure9", "figure10")


def main(arguments: list[str]) -> int:
    """Run each recipe with these arguments; return the exit code."""
    failed = []
    for name in RECIPES:
        begun = time.monotonic()
        recipe: click.Command = importlib.import_module(name).main
        try:
            recipe.main(arguments, prog_name=name, standalone_mode=False)
        except click.UsageError as error:  # of every recipe
            error.show()
            return error.exit_code
        except click.ClickException as error:
            error.show()
            failed.append(name)
        if "--help" in arguments:
            return 0
        click.echo(f"{name}: {time.monotonic() - begun:.0f} s\n")
    if failed:
        click.echo(f"not made: {', '.join(failed)}", err=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
