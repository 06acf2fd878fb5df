"""What each idea is worth in a laboratory that a training never saw: leave_one_out.toml with one thing changed at a time.

    python workflows/shipped_model/ideas.py --data DATA --out RUNS [--laboratory immunoratio] [--only NAME ...]

Trainings, tests and the table's columns are those of leave_one_out.py; trainings can be stopped and continued.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from leave_one_out import HEAD, LABORATORIES, gains_option, rows_of, trained_without, without

from wsi_edt.detection.compute import Device
from wsi_edt.errors import WsiEdtError
from wsi_edt.training import read_config
from wsi_edt.training.config import TrainConfig

RECIPE = Path(__file__).with_name("leave_one_out.toml")
HE = ("uw", "monuseg", "glioma_he")
STRONGER = {"stain": 0.5, "hue": 0.1, "gamma": 0.5}

Entries = dict[str, Any]
Idea = Callable[[Entries], Entries]  # of the recipe's entries, those that change


def in_section(name: str, **changes: object) -> Idea:
    """Some entries of a section change."""
    return lambda entries: {name: entries[name] | changes}


IDEAS: dict[str, Idea] = {
    "recipe": lambda _: {},
    "recipe, another seed": lambda _: {"seed": 2},
    "no style mixing": in_section("augmentation", style=0.0, styles=[]),
    "style mixing of 90 %": in_section("augmentation", style=0.9),
    "stronger jitter": in_section("augmentation", **STRONGER),
    "stronger jitter, no style mixing": in_section("augmentation", style=0.0, styles=[], **STRONGER),
    "more blur and a wider range of scales": in_section("augmentation", blur=0.5, scale=0.35),
    "three times as long": in_section("schedule", steps=1800),
    "Ki-67 sets alone": lambda entries: {"sets": [one for one in entries["sets"] if one["name"] not in HE]},
    "from random weights": lambda _: {"init": ""},
    "plain stem (HRNet), from random weights": lambda _: {
        "init": "",
        "network": {"architecture": "hrnet"},
    },
    "loss weighted 4 : 1 towards cells": in_section("loss", cell_weight=4.0),
}


def with_idea(recipe: TrainConfig, name: str) -> TrainConfig:
    """The recipe with that idea."""
    entries = recipe.model_dump(exclude_none=True)
    return TrainConfig.model_validate(entries | IDEAS[name](entries))


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/ideas"), show_default=True
)
@click.option("--laboratory", type=click.Choice(list(LABORATORIES)), default="immunoratio", show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(IDEAS)), help="Can be given several times.")
@gains_option
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(
    data: Path, out: Path, laboratory: str, only: tuple[str, ...], gains: tuple[float, ...], device: Device
) -> None:
    """Train each idea without the laboratory, if it isn't trained yet, and print its row."""
    click.echo(f"| idea | {' | '.join(HEAD)} |")
    click.echo("|---" * (len(HEAD) + 1) + "|")
    try:
        recipe = read_config(RECIPE)
        for name in only or IDEAS:
            idea = with_idea(recipe, name)
            own = without(idea, laboratory, seed=idea.seed)
            folder = out / laboratory / "".join(letter if letter.isalnum() else "-" for letter in name)
            predictor = trained_without(own, data, folder, device=device)
            for row in rows_of(laboratory, predictor, data, seed=str(own.seed), gains=gains):
                click.echo(f"| {name} | {' | '.join(row)} |")
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
