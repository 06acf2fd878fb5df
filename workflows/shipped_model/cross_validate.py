"""Cross-validation of a training over all Ki-67 images, grouped by case: how well it does on cases that it never saw.

    python workflows/shipped_model/cross_validate.py CONFIG.toml --data DATA --out RUNS [--folds 4]

Each fold is a training of its own with the cases of that fold left out ([folds] of the configuration), and can be stopped
and continued. A fold is decoded with the settings that the other folds choose. columns.py says what the columns are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import click
from columns import COLUMNS, Decoded, columns

from wsi_edt.cli.decoding import GAIN
from wsi_edt.datasets.labelled import by_set
from wsi_edt.detection.compute import Device
from wsi_edt.evaluation.predictions import PredictedImage
from wsi_edt.evaluation.selection import select
from wsi_edt.training import read_config, train
from wsi_edt.training.checkpoint import network_of, read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.material import validation_images
from wsi_edt.training.validation import predictor_of

Predictions = dict[str, list[PredictedImage]]  # by set


def held_out(config: TrainConfig, data: Path, out: Path, *, device: Device = "cpu") -> Predictions:
    """A training's maps of the images that it validates on, by set; it is run, or continued, if it isn't finished."""
    checkpoint = train(config, data, out, device=device)
    network = network_of(config, read_trained(checkpoint).weights)
    predictor = predictor_of(network.to(device), config)
    images = by_set(validation_images(config, data))
    return {name: [predictor.predict(image) for image in own] for name, own in images.items()}


def decoded(
    found: Sequence[Predictions], *, choose_on: str, negative_gain: float | None = None
) -> list[dict[str, Decoded]]:
    """By fold and set: what the fold holds out, each with the settings that the other folds' images of a set choose.

    `negative_gain` as for `select`.
    """
    by_fold: list[dict[str, Decoded]] = []
    for index, own in enumerate(found):
        others = [one.get(choose_on, []) for one in (*found[:index], *found[index + 1 :])]
        settings = select(list(chain.from_iterable(others)), negative_gain=negative_gain).settings
        by_fold.append({name: [(image, settings) for image in images] for name, images in own.items()})
    return by_fold


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--folds", default=4, show_default=True)
@click.option("--choose-on", default="bcdata", show_default=True, help="The set that chooses the settings.")
@click.option(
    "--negative-gain",
    "gains",
    type=GAIN,
    multiple=True,
    help="Of the negative map, instead of what the other folds choose. Can be given several times.",
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(
    config: Path,
    data: Path,
    out: Path,
    folds: int,
    choose_on: str,
    gains: tuple[float, ...],
    device: Device,
) -> None:
    """Print a row for each set and fold, and one for all of the set's images, each as its own fold found it."""
    recipe = read_config(config)
    found = []
    for index in range(folds):
        fold = TrainConfig.model_validate(recipe.model_dump() | {"folds": {"count": folds, "index": index}})
        found.append(held_out(fold, data, out / f"fold-{index}", device=device))
    click.echo(f"| set | fold | images | gain | {' | '.join(COLUMNS)} |")
    click.echo("|---" * (len(COLUMNS) + 4) + "|")
    for gain in gains or (None,):
        by_fold = decoded(found, choose_on=choose_on, negative_gain=gain)
        for name in (spec.name for spec in recipe.validation):
            own = {
                str(index): fold_sets[name] for index, fold_sets in enumerate(by_fold) if name in fold_sets
            }
            for which, images in (own | {"all": list(chain.from_iterable(own.values()))}).items():
                used = ", ".join(f"{one:g}" for one in sorted({way.negative_gain for _, way in images}))
                row = columns(images, model_mpp=recipe.mpp)
                click.echo(f"| {name} | {which} | {len(images)} | {used} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
