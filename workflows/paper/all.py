"""All tables and figures of the paper that are tables or curves, one after another.

Run ``python workflows/paper/all.py --data DATA --smoke`` to try every recipe; README.md has the options. The pictures of
figures.py are a command of their own.
"""

from __future__ import annotations

import importlib
import sys
import time

import click

RECIPES = (*(f"table{number}" for number in range(2, 11)), "figure7", "figure9", "figure10")


def main(arguments: list[str]) -> None:
    """Run each recipe with these arguments."""
    for name in RECIPES:
        begun = time.monotonic()
        recipe: click.Command = importlib.import_module(name).main
        recipe.main(arguments, prog_name=name, standalone_mode=False)
        click.echo(f"{name}: {time.monotonic() - begun:.0f} s\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
