"""A table of the paper as a command: trains what isn't trained, scores what isn't scored, prints it beside the paper's."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from comparison import PAPER, SMOKE, Budget, Row, Training, one_writer, run_all
from divisions import STAND_IN, Division, Part, divided, facts_of
from tally import Tally

from wsi_edt.detection.compute import Device
from wsi_edt.errors import WsiEdtError
from wsi_edt.files import remedy_of, write_atomically

ONE_MAP, TWO_MAPS = ("nucleus",), ("positive", "negative")
UNIFIED = ("MAE", "RMSE", "F1 5", "P 5", "R 5", "F1 10", "P 10", "R 10")
SEPARATE = tuple(
    f"{ratio} 10 {which}" for which in ("positive", "negative", "average") for ratio in ("F1", "P", "R")
)
ONLY = "wsi_edt.paper.only"  # of a command's context: labels of the rows that are wanted
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the paper, or a figure made of such numbers.

    Attributes
    ----------
    name : for example "Table 5"
    title : what it compares
    data : the set
    division : how the set is divided
    rows : its lines
    night : what its trainings may cost if all of them are to fit a night of two cores, see README.md
    separate : whether positive and negative cells have a map each
    columns : see `Tally.figure`
    remarks : on the published figures: misprints, and what isn't known
    """

    name: str
    title: str
    data: str
    division: Division
    rows: tuple[Row, ...]
    night: Budget
    separate: bool = False
    columns: tuple[str, ...] = UNIFIED
    remarks: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """For example "table5": of its files."""
        return self.name.lower().replace("fig.", "figure").replace(" ", "")

    @property
    def maps(self) -> tuple[str, ...]:
        """The networks' maps."""
        return TWO_MAPS if self.separate else ONE_MAP


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A row's scores, one for each seed; none if the program doesn't have the network."""

    row: Row
    tallies: tuple[Tally, ...]


def run(
    table: Table,
    data: Path,
    out: Path,
    *,
    budget: Budget,
    seeds: int,
    device: Device,
    only: Sequence[str] = (),
) -> list[Result]:
    """The rows of a table, or those with the labels in `only`.

    Folds are added up before anything is divided, so that each image counts once for each seed.
    """
    parts = parts_of(table, data, budget)
    rows = [row for row in table.rows if not only or row.label in only]

    def trainings(row: Row, seed: int) -> list[Training]:
        return [Training(part, row, table.maps, budget, seed) for part in parts]

    wanted = [
        (training, row.method)
        for seed in range(
            1, seeds + 1
        )  # all rows of a seed before the next: a night that ends early has whole seeds
        for row in rows
        if row.is_here
        for training in trainings(row, seed)
    ]
    found = run_all(wanted, data, out, device=device, note=lambda words: click.echo(words, err=True))
    results = []
    for row in rows:
        tallies = [
            sum((found[training.name][row.method] for training in trainings(row, seed)), Tally())
            for seed in range(1, seeds + 1)
            if row.is_here
        ]
        results.append(Result(row, tuple(tallies)))
    return results


def parts_of(table: Table, data: Path, budget: Budget) -> list[Part]:
    """The parts of a table's set; for a trial without the set, of another."""
    name, division = table.data, table.division
    if is_trial(budget) and not (data / name).is_dir() and (data / STAND_IN).is_dir():
        name, division = STAND_IN, "70-30"
        click.echo(
            f"{table.data} isn't in {data}: {name} stands in, so that the recipe is tried; read no figure from it"
        )
    else:
        for sentence in facts_of(name, division, data):
            click.echo(sentence)
    parts = divided(name, division, data)
    if budget.cases is None:
        return parts
    return [part.shortened(budget.cases) for part in parts[:1]]


def printed(table: Table, results: Sequence[Result], budget: Budget) -> str:
    """The table as Markdown: mean ± standard deviation over seeds; in brackets the paper's figure, and the difference."""
    lines = [
        f"**{table.name}**: {table.title}",
        "",
        words_of(budget, results),
        "",
        f"| {' | '.join(['', *table.columns, 'seeds', 'window and threshold'])} |",
        "|---" * (len(table.columns) + 3) + "|",
    ]
    for result in results:
        row, tallies = result.row, result.tallies
        if not tallies:
            lines.append(
                f"| {row.label}: not in this program | {' | '.join([''] * (len(table.columns) + 2))} |"
            )
            continue
        cells = [
            cell([one.figure(name) for one in tallies], row.published.get(name)) for name in table.columns
        ]
        ways = sorted({way for one in tallies for way in one.ways})
        lines.append(f"| {' | '.join([row.label, *cells, str(len(tallies)), '; '.join(ways)])} |")
    lines += [
        "",
        "Mean ± standard deviation over the seeds (the paper's figure, the difference to it).",
        *table.remarks,
    ]
    return "\n".join(lines)


def words_of(budget: Budget, results: Sequence[Result]) -> str:
    """What the rows were given, so that nobody takes a trial's figures, or a night's, for the paper's."""
    tested = sorted({tally.images for result in results for tally in result.tallies})
    images = " or ".join(str(count) for count in tested) or "no"
    length = f"{budget.steps} steps" if budget.steps else f"{budget.epochs} epochs"
    return (
        f"Budget {budget.name}{': a trial, whose figures mean nothing' if is_trial(budget) else ''}: {length} of "
        f"{budget.batch_size} crops of {budget.crop_px} px, learning rate {budget.learning_rate:g} ({budget.decay}), "
        f"HRNets of width {budget.hrnet_width}; {images} images tested."
    )


def is_trial(budget: Budget) -> bool:
    """Whether it is `--smoke`."""
    return budget.name.startswith(SMOKE.name)


def cell(values: Sequence[float], published: float | None) -> str:
    """One figure: ``73.1 ± 0.4 (73.8, −0.7)``; without brackets where we don't know the paper's."""
    mean = statistics.fmean(values)
    text = f"{mean:.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")
    if published is None:
        return text
    difference = f"{round(mean - published, 1) + 0.0:+.1f}".replace("-", MINUS)
    return f"{text} ({published:.1f}, {difference})"


def as_csv(table: Table, results: Sequence[Result], budget: Budget) -> str:
    """A line for each row and seed, with all figures unrounded."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["row", "budget", "seed", "images", *table.columns, "window and threshold"])
    for result in results:
        for seed, one in enumerate(result.tallies, start=1):
            figures = [f"{one.figure(name):.4f}" for name in table.columns]
            writer.writerow([result.row.label, budget.name, seed, one.images, *figures, "; ".join(one.ways)])
    return text.getvalue()


Action = Callable[[Path, Path, Budget, int, Device], None]  # with data, out, budget, seeds and device


def command(table: Table, *, figure: Callable[[Path, Sequence[Result]], None] | None = None) -> click.Command:
    """The command of a table; `figure` writes a picture of its results."""

    def act(data: Path, out: Path, budget: Budget, seeds: int, device: Device) -> None:
        only: tuple[str, ...] = click.get_current_context().meta[ONLY]
        results = run(table, data, out, budget=budget, seeds=seeds, device=device, only=only)
        some = "-only" if only else ""  # beside the whole table's
        where = out / budget.name / f"{table.stem}{some}.csv"
        click.echo(f"\n{printed(table, results, budget)}\n")
        with one_writer(where.parent):
            write_atomically(where, as_csv(table, results, budget).encode())
            click.echo(f"{where} has the figures of each seed.")
            if figure is not None:
                picture = where.with_suffix(".svg")
                figure(picture, results)
                click.echo(f"{picture} is the picture.")

    made = with_options(f"{table.name}: {table.title}. Continues where it was stopped.", table, act)
    labels = click.Choice([row.label for row in table.rows], case_sensitive=False)
    made.params.append(
        click.Option(
            ["--only"], multiple=True, type=labels, expose_value=False, callback=_keep_only, help="Some rows."
        )
    )
    return made


def _keep_only(context: click.Context, _parameter: click.Parameter, labels: tuple[str, ...]) -> None:
    context.meta[ONLY] = labels


def with_options(title: str, table: Table, act: Action) -> click.Command:
    """A command with the options that all recipes have."""

    @click.command(help=title)
    @click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path),
                  help="The folder that holds the sets' folders.")  # fmt: skip
    @click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/paper"),
                  show_default=True, help="Trainings and scores; all recipes share it.")  # fmt: skip
    @click.option(
        "--seeds", type=click.IntRange(1), help="How often each row is trained.  [default: 3; a trial 1]"
    )
    @click.option(
        "--smoke", is_flag=True, help="A trial: a few steps on a few images; its figures mean nothing."
    )
    @click.option(
        "--night", is_flag=True, help="As much as two processor cores train in a night, see README.md."
    )
    @click.option("--steps", type=click.IntRange(1), help="Steps of each training, instead of the budget's.")
    @click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
    def main(
        data: Path, out: Path, seeds: int | None, smoke: bool, night: bool, steps: int | None, device: Device
    ) -> None:
        if smoke and night:
            raise click.UsageError("--smoke and --night are two budgets: choose one")
        budget = SMOKE if smoke else table.night if night else PAPER
        if steps is not None:
            budget = replace(budget, name=f"{budget.name}-{steps}", steps=steps)
        try:
            act(data, out, budget, seeds or (1 if smoke else 3), device)
        except WsiEdtError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(
                f"{error.filename or out}: {error.strerror or error}; {remedy_of(error)}"
            ) from error

    return main
