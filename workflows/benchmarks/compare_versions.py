"""Whether a change made wsi-edt slower: benchmarks of two checkouts, run in turns, with their figures side by side.

    python workflows/benchmarks/compare_versions.py BEFORE AFTER [--run "cells_scale --cells 1"]

Each folder is a checkout whose own benchmarks run on its own wsi_edt. The turns are before, after, after, before, so that
a machine that becomes slower or faster meanwhile does so for both. A ratio means something where it is beyond the
spread: by how much two runs of one version differ.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import click
from measuring import machine, table

RUNS = ("pipeline_efficiency", "cells_scale --cells 1", "batch_scale")
TURNS = ("before", "after", "after", "before")
HEAD = ("", "before", "after", "after / before", "spread")
NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+")

Figures = dict[str, float]  # by row and column, for example "run, computing: ms/tile"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout of the repository.

    Attributes
    ----------
    folder : holds wsi_edt/ and workflows/
    """

    folder: Path

    def python(self, *words: str) -> str:
        """What Python prints when it runs these words here, with this wsi_edt in front of any that is installed."""
        environment = os.environ | {"PYTHONPATH": str(self.folder)}
        ended = subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise click.ClickException(f"{shlex.join(words)} failed in {self.folder}:\n{ended.stderr}")
        return ended.stdout

    def refuse_another_package(self) -> None:
        """Raise ClickException unless this folder's wsi_edt is the one that its benchmarks import."""
        imported = Path(self.python("-c", "import wsi_edt; print(wsi_edt.__file__)").strip())
        if imported.resolve().parent != self.folder / "wsi_edt":
            raise click.ClickException(f"{self.folder} would run the wsi_edt in {imported.parent}")

    def figures(self, run: str) -> Figures:
        """The figures of one run, for example of "cells_scale --cells 1"."""
        name, *options = shlex.split(run)
        printed = self.python(str(self.folder / "workflows" / "benchmarks" / f"{name}.py"), *options)
        found = figures_of(printed)
        if not found:
            raise click.ClickException(f"{run} printed no table in {self.folder}")
        return found


def figures_of(printed: str) -> Figures:
    """All numbers in the Markdown tables of a text; "3.4 (2.9)" is two of them."""
    found: Figures = {}
    head: list[str] = []
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            head = []
        elif not head:
            head = cells
        elif not set("".join(cells)) <= set("-:"):
            for column, cell in zip(head[1:], cells[1:], strict=True):
                name = f"{cells[0]}: {column}"
                for place, number in enumerate(NUMBER.findall(cell)):
                    found[name if place == 0 else f"{name} ({place + 1})"] = float(number.replace(",", ""))
    return found


def compared(figures: Mapping[str, Sequence[Figures]]) -> list[list[str]]:
    """A row for each figure that all runs have.

    Parameters
    ----------
    figures : of each run, by version: "before" and "after"
    """
    every = [one for runs in figures.values() for one in runs]
    names = [name for name in every[0] if all(name in one for one in every)]
    return [
        [name, *_row(*([run[name] for run in figures[version]] for version in ("before", "after")))]
        for name in names
    ]


def _row(before: Sequence[float], after: Sequence[float]) -> tuple[str, ...]:
    ratio = f"{mean(after) / mean(before):.3f}" if mean(before) else ""
    spread = max(_spread(before), _spread(after))
    return (
        *(", ".join(f"{value:g}" for value in values) for values in (before, after)),
        ratio,
        f"{spread:.1%}",
    )


def _spread(values: Sequence[float]) -> float:
    return (max(values) - min(values)) / abs(mean(values)) if mean(values) else 0.0


@click.command()
@click.argument("before", type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path))
@click.argument("after", type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path))
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="BENCHMARK",
    default=RUNS,
    show_default=True,
    help="A benchmark's name, with its options.",
)
def main(before: Path, after: Path, runs: tuple[str, ...]) -> None:
    """Compare the checkouts BEFORE and AFTER."""
    checkouts = {"before": Checkout(before), "after": Checkout(after)}
    for checkout in checkouts.values():
        checkout.refuse_another_package()
    print(machine())
    for run in runs:
        figures: dict[str, list[Figures]] = {"before": [], "after": []}
        for turn in TURNS:
            click.echo(f"{run}, {turn}", err=True)
            figures[turn].append(checkouts[turn].figures(run))
        print(f"\n{run}\n\n{table(HEAD, compared(figures))}", flush=True)


if __name__ == "__main__":
    main()
