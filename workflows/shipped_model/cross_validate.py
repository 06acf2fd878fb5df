"""Cross-validation of a training over all Ki-67 images, grouped by case: how well it does on cases that it never saw.

    python workflows/shipped_model/cross_validate.py CONFIG.toml --data DATA --out RUNS [--folds 4]

Each fold is a training of its own with the cases of that fold left out ([folds] of the configuration), and can be stopped
and continued. A fold is decoded with the settings that the other folds choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from wsi_edt.datasets.labelled import by_set
from wsi_edt.detection.compute import Device
from wsi_edt.evaluation.predictions import PredictedImage, prediction_metrics
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


def rows_of(found: Predictions, chosen_on: Sequence[PredictedImage]) -> dict[str, tuple[float, ...]]:
    """By set: F1 of all cells at 10 and 5 px, of positive and of negative cells at 10 px, the index error in points."""
    settings = select(chosen_on).settings
    rows: dict[str, tuple[float, ...]] = {}
    for name, images in found.items():
        far, near = (prediction_metrics(images, settings, radius_px=radius_px) for radius_px in (10.0, 5.0))
        assert far.positive is not None and far.negative is not None and far.index_error is not None
        rows[name] = (far.all.f1, near.all.f1, far.positive.f1, far.negative.f1, far.index_error)
    return rows


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--folds", default=4, show_default=True)
@click.option("--choose-on", default="bcdata", show_default=True, help="The set that chooses the settings.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(config: Path, data: Path, out: Path, folds: int, choose_on: str, device: Device) -> None:
    """Print the metrics of each fold, and their mean and standard deviation over the folds."""
    recipe = read_config(config)
    found = []
    for index in range(folds):
        fold = TrainConfig.model_validate(recipe.model_dump() | {"folds": {"count": folds, "index": index}})
        found.append(held_out(fold, data, out / f"fold-{index}", device=device))
    print("| set | fold | images | F1 at 10 px | at 5 px | positive | negative | index error, points |")
    print("|---|---|---|---|---|---|---|---|")
    by_set: dict[str, list[tuple[float, ...]]] = {}
    for index, fold_found in enumerate(found):
        others = [
            image
            for other, predictions in enumerate(found)
            if other != index
            for image in predictions.get(choose_on, [])
        ]
        for name, row in rows_of(fold_found, others).items():
            by_set.setdefault(name, []).append(row)
            print(f"| {name} | {index} | {len(fold_found[name])} | {_cells(row)} |")
    for name, rows in by_set.items():
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1 if len(rows) > 1 else 0)
        print(f"| **{name}** | mean of {len(rows)} | | {_cells(tuple(mean))} |")
        print(f"| {name} | standard deviation | | {_cells(tuple(spread))} |")


def _cells(row: tuple[float, ...]) -> str:
    return " | ".join([*(f"{value:.3f}" for value in row[:-1]), f"{row[-1]:.1f}"])


if __name__ == "__main__":
    main()
