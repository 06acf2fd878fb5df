"""`wsi-edt models`: every model and every network, with what it costs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from wsi_edt.errors import UsageError, printable

if TYPE_CHECKING:
    from wsi_edt.detection.compute import Compute
    from wsi_edt.detection.speed import Speed
    from wsi_edt.doctor.catalogue import Entry, Row
    from wsi_edt.networks.cost import Cost

_REPEATS = 5
_COLUMNS = 100
_LABEL = 9
_NETWORK, _OPTIONS, _NUMBER, _SPEED = 22, 19, 8, 21


@click.command()
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="List that model, architecture or network alone; may be given several times.",
)
@click.option(
    "--measure", is_flag=True, help="Measure tiles a second here, in the runtime that a run would take."
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    help=f"Batches that --measure times.  [default: {_REPEATS}]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all figures.")
def models(
    folders: tuple[str, ...], only: tuple[str, ...], measure: bool, repeats: int | None, as_json: bool
) -> int:
    """List the shipped models, those in each FOLDER, and every network that can be trained.

    Parameters, operations of a tile of 512 × 512 px, and of models their scores and licence; with --measure tiles a second
    on this machine. A network whose library isn't installed is listed with what to install. A model that can't be used is
    listed with the reason, one whose model.toml can't be read is named last, and either ends the command with 1; a FOLDER
    that holds no model is wrong usage.
    """
    from wsi_edt.doctor.catalogue import entries, row, unreadable

    if repeats is not None and not measure:
        raise UsageError("counts measured batches", where="--repeats", remedy="give --measure as well")
    repeats = repeats or _REPEATS
    problems = unreadable(folders)
    try:
        listed = entries([folder for folder in folders if folder not in problems], only=only)
    except UsageError:  # the model that it asks for may be one of those
        _print_problems(problems)
        raise
    compute = _compute() if measure else None
    rows: list[Row] = []
    coming = _kept(rows, (row(entry, compute=compute, repeats=repeats) for entry in listed))
    if as_json:
        _print_json(coming, problems)
    else:
        _print_text(listed, coming, measured=measure, repeats=repeats)
    _print_problems(problems)
    unusable = any(one.problem for one in rows if one.entry.kind == "model")
    return 1 if problems or unusable else 0


def _kept(rows: list[Row], coming: Iterator[Row]) -> Iterator[Row]:
    """Each row as it comes, which is kept in `rows`."""
    for one in coming:
        rows.append(one)
        yield one


def _print_problems(problems: dict[str, str]) -> None:
    for problem in problems.values():
        click.echo(f"Error: {printable(problem)}", err=True)


def _compute() -> Compute:
    from wsi_edt.cluster.machine import this_machine
    from wsi_edt.detection.compute import ComputeOptions

    return this_machine(ComputeOptions()).compute


def _print_json(rows: Iterator[Row], problems: dict[str, str]) -> None:
    from wsi_edt.doctor.catalogue import as_json

    listed = [as_json(row) for row in rows]
    lost = [{"kind": "model", "name": folder, "problem": problem} for folder, problem in problems.items()]
    click.echo(json.dumps([*listed, *lost], indent=1, ensure_ascii=False))


def _print_text(listed: list[Entry], rows: Iterator[Row], *, measured: bool, repeats: int) -> None:
    """Each line as soon as it is known: counting takes a moment, and measuring minutes."""
    networks = [entry for entry in listed if entry.kind == "network"]
    if len(networks) < len(listed):
        click.echo("Models: with weights, for `wsi-edt run --model`\n")
    headed = False
    for row in rows:
        if row.entry.kind == "model":
            _print_model(row)
            continue
        if not headed:
            click.echo("Networks: for `architecture` and its options under [network], for `wsi-edt train`\n")
            click.echo(
                _line("network", "architecture", "M param", "GFLOP", "tiles/s" if measured else "", "weights")
            )
            headed = True
        _print_network(row)
    notes = [
        "GFLOP: of a tile of 512 × 512 px at inference, a multiplication with its addition as two; many publications "
        "count them as one."
    ]
    if networks:
        notes.append(
            f"Networks are counted with {networks[0].spec.maps} maps. Their code is {networks[0].licence}; weights are "
            "those of models, each under its own licence."
        )
    if measured:
        batches = f"{repeats} batch{'' if repeats == 1 else 'es'}"
        notes.append(
            f"tiles/s: of such tiles, the median of {batches} (slowest to fastest), of one worker process; a run may have "
            "several, and its tiles are larger."
        )
    click.echo("\n" + "\n".join(textwrap.fill(note, _COLUMNS) for note in notes))


def _print_model(row: Row) -> None:
    entry = row.entry
    bundle = entry.bundle
    assert bundle is not None
    network = (
        f"{entry.spec.options.title}, maps {', '.join(bundle.decode.maps)} at {bundle.model_mpp:g} µm/px"
    )
    scores = ", ".join(f"{name} {value:.4g}" for name, value in bundle.metrics.items())
    facts = {"network": network}
    if row.cost is not None:
        facts["cost"] = f"{_millions(row.cost)} M parameters, {_gflop(row.cost)} GFLOP a tile"
    if row.speed is not None:
        facts["speed"] = f"{_range(row.speed)} tiles/s, {_words(row.speed)}"
    facts |= {"counts": bundle.counts, "scores": scores or "none stated", "licence": entry.licence}
    facts["weights"] = entry.weights[0]
    if row.problem:
        facts["problem"] = row.problem
    click.echo(printable(f"{entry.name}, version {bundle.version}"))
    for label, text in facts.items():
        _folded(text, label=label)
    click.echo("")


def _print_network(row: Row) -> None:
    options, speed = row.entry.spec.options, row.speed
    counted = ("", "") if row.cost is None else (_millions(row.cost), _gflop(row.cost))
    weights = ", ".join(row.entry.weights) or ("none" if row.cost is not None else "")
    rate = "" if speed is None else _range(speed)
    click.echo(_line(options.title, _chosen(row.entry), *counted, rate, weights))
    if row.problem:
        _folded(row.problem)
    elif speed is not None and speed.compute.runtime == "torch" and speed.compute.device == "cpu":
        _folded(f"measured {_words(speed)}")


def _line(network: str, options: str, parameters: str, gflop: str, speed: str, weights: str) -> str:
    """A line of the table; more weights than fit go to the next lines."""
    numbers = f"{parameters:>{_NUMBER}}{gflop:>{_NUMBER}}" + (f"{speed:>{_SPEED}}" if speed else "")
    start = f"{network:<{_NETWORK}} {options:<{_OPTIONS}}{numbers}  "
    rest = " " * len(start)
    line = textwrap.fill(
        printable(weights), _COLUMNS, initial_indent=start, subsequent_indent=rest, break_on_hyphens=False
    )
    return (line or start).rstrip()


def _chosen(entry: Entry) -> str:
    """The architecture, and those options of it that aren't its defaults: "m_hrnet, width 48"."""
    default = type(entry.spec)(type(entry.spec.options)(), entry.spec.maps).to_table()
    changed = [f"{name} {value}" for name, value in entry.spec.to_table().items() if default[name] != value]
    return ", ".join([entry.spec.architecture, *changed])


def _millions(cost: Cost) -> str:
    return f"{cost.parameters / 1e6:.1f}"


def _gflop(cost: Cost) -> str:
    return f"{cost.flop / 1e9:.1f}"


def _range(speed: Speed) -> str:
    return f"{speed.median:.3g} ({speed.least:.3g}–{speed.most:.3g})"


def _words(speed: Speed) -> str:
    compute = speed.compute
    runtime = {"torch": "torch", "openvino": "OpenVINO"}[compute.runtime]
    threads = f", {compute.threads} threads" if compute.device == "cpu" else ""
    return f"in {runtime} on {compute.device}, {compute.precision}{threads}"


def _folded(text: str, *, label: str = "") -> None:
    """A fact beside its label, in lines of at most 100 columns."""
    first, rest = f"  {label:<{_LABEL}} ", " " * (_LABEL + 3)
    click.echo(
        textwrap.fill(
            printable(text),
            _COLUMNS,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
