"""What a few annotated fields of a new laboratory are worth: a model goes on training on some, and is tested on others.

    python workflows/shipped_model/own_fields.py workflows/own_fields.toml --data DATA --out RUNS [--fields 0,1,2,5]

The configuration's set "ours" is replaced by fields of `--laboratory`, which the model mustn't have been trained on. All
rows are tested on the same fields, those that no row trains on, and on what must not be forgotten: bcdata's validation
images, which choose the settings, and glioma, which is replayed. Trainings can be stopped and continued.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from leave_one_out import (
    CHOSEN_ON,
    CLICKS_UM,
    LABORATORIES,
    OF_SET,
    OTHERWISE,
    columns_of,
    predictions,
    predictor_from,
)

from wsi_edt.bundles import find_bundle
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.errors import WsiEdtError
from wsi_edt.evaluation.predictions import Predictor
from wsi_edt.evaluation.selection import select
from wsi_edt.training import read_config, train
from wsi_edt.training.checkpoint import network_of, read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.validation import predictor_of

OWN = "ours"  # the set of the configuration that the laboratory's fields replace
HEAD = ("own fields", "tested on", *OF_SET)


def fields_of(laboratory: str, data: Path, most: int, *, seed: int) -> tuple[str, ...]:
    """As many of a laboratory's cases as any training takes, in the order in which they are taken."""
    cases = sorted({image.case for image in read_set(SetSpec(name=laboratory, split="all"), data)})
    if most >= len(cases):
        raise click.UsageError(
            f"--fields asks for {most}, and {laboratory} has {len(cases)}: none would be left to test on"
        )
    order = np.random.default_rng(seed).permutation(len(cases))
    return tuple(cases[place] for place in order[:most])


def with_fields(recipe: TrainConfig, laboratory: str, cases: tuple[str, ...], *, model: str) -> TrainConfig:
    """The recipe from that model, with fields of the laboratory as its set "ours"."""
    entries = recipe.model_dump(exclude_none=True)
    own = {
        "format": laboratory, "folder": laboratory, "cases": cases, "clicks_um": CLICKS_UM.get(laboratory, 0),
    }  # fmt: skip
    entries["sets"] = [one | own if one["name"] == OWN else one for one in entries["sets"]]
    return TrainConfig.model_validate(entries | {"init": model})


def rows_of(
    predictor: Predictor, laboratory: str, taken: tuple[str, ...], data: Path
) -> dict[str, list[str]]:
    """The columns on the laboratory's other fields and on what must not be forgotten."""
    home = predictions(predictor, CHOSEN_ON, data)
    chosen = select(home)
    others = SetSpec(name=laboratory, split="all", without=taken, clicks_um=CLICKS_UM.get(laboratory, 0))
    tested = {
        f"{laboratory}, other fields": predictions(predictor, others, data),
        "bcdata validation": home,
        "glioma": predictions(predictor, OTHERWISE, data),
    }
    return {
        name: columns_of(images, chosen, laboratory=name, model_mpp=predictor.model_mpp)
        for name, images in tested.items()
    }


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/own_fields"),
    show_default=True,
)
@click.option(
    "--model",
    default="ki67-m-hrnet-w18",
    show_default=True,
    help="To start from; it has never seen the laboratory.",
)
@click.option("--laboratory", type=click.Choice(list(LABORATORIES)), default="immunoratio", show_default=True)
@click.option(
    "--fields", default="0,1,2,5", show_default=True, help="How many fields are annotated: a row for each."
)
@click.option("--seed", default=1, show_default=True, help="Draws the fields.")
def main(config: Path, data: Path, out: Path, model: str, laboratory: str, fields: str, seed: int) -> None:
    """Train on a few fields of a laboratory that the model never saw, and print what they are worth."""
    numbers = sorted({int(one) for one in fields.split(",")})
    try:
        taken = fields_of(laboratory, data, max(numbers), seed=seed)
        click.echo(f"fields, in this order: {', '.join(taken)}")
        click.echo(f"| {' | '.join(HEAD)} |")
        click.echo("|---" * len(HEAD) + "|")
        recipe = read_config(config)
        for number in numbers:
            predictor = predictor_from(find_bundle(model))
            if number:
                own = with_fields(recipe, laboratory, taken[:number], model=model)
                trained = read_trained(train(own, data, out / f"{laboratory}-{number}"))
                predictor = predictor_of(network_of(own, trained.weights), own)
            for name, row in rows_of(predictor, laboratory, taken, data).items():
                click.echo(f"| {number} | {name} | {' | '.join(row)} |")
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
