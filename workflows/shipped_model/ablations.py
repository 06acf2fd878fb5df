"""What each choice of the shipped recipe is worth: the same short training with one thing changed at a time.

    python workflows/shipped_model/ablations.py --data DATA --out RUNS [--only NAME ...]

Trained on one half of bcdata's cases, one glioma case, shidc and the H&E sets; tested on the other halves, which weren't
trained on. All trainings have the same length, short beside the shipped model's: read differences, and no more than
the spread between seeds (first rows) allows. Settings are chosen on the tested images, for each variant alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from cross_validate import held_out

from wsi_edt.detection.compute import Device
from wsi_edt.evaluation.predictions import PredictedImage, prediction_metrics
from wsi_edt.evaluation.selection import select
from wsi_edt.training.config import SETS, TrainConfig

KI67 = ("bcdata", "glioma", "shidc")
BASE: dict[str, Any] = {
    "schedule": {"steps": 200, "epoch_steps": 100, "batch_size": 8, "crop_px": 160, "learning_rate": 2e-3},
    "validation": [{"name": "bcdata"}, {"name": "glioma", "split": "train"}],
    "folds": {"count": 2, "index": 0},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "recipe, another seed": {"seed": 2},
    "Ki-67 sets alone": {"sets": [one.model_dump(exclude_none=True) for one in SETS if one.name in KI67]},
    "plain stem (HRNet)": {"network": {"architecture": "hrnet"}},
    "MGA at full resolution": {"network": {"stem_stride": 1}},
    "two maps (positive, negative)": {
        "maps": {"names": ["positive", "negative"]},
        "sets": [one.model_dump(exclude_none=True) for one in SETS if one.name in KI67],
    },
    "FIDT": {"maps": {"target": "fidt"}},
    "density": {"maps": {"target": "density"}},
    "loss weighted 10 : 1 towards cells": {"loss": {"cell_weight": 10.0}},
    "stain augmentation off": {"augmentation": {"stain": 0.0, "hue": 0.0, "gamma": 0.0}},
}


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--only", multiple=True, type=click.Choice(list(VARIANTS)), help="Can be given several times.")
@click.option("--steps", default=BASE["schedule"]["steps"], show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(data: Path, out: Path, only: tuple[str, ...], steps: int, device: Device) -> None:
    """Train each variant, if it isn't trained yet, and print its row."""
    print("| variant | F1 at 10 px | at 5 px | positive | negative | index error, points | settings |")
    print("|---|---|---|---|---|---|---|")
    for name in only or VARIANTS:
        config = TrainConfig.model_validate(
            BASE | {"schedule": BASE["schedule"] | {"steps": steps}} | VARIANTS[name]
        )
        folder = out / "".join(letter if letter.isalnum() else "-" for letter in name)
        found = held_out(config, data, folder, device=device)
        print(_row(name, [image for images in found.values() for image in images]), flush=True)


def _row(name: str, images: list[PredictedImage]) -> str:
    settings = select(images).settings
    far, near = (prediction_metrics(images, settings, radius_px=radius_px) for radius_px in (10.0, 5.0))
    assert far.positive is not None and far.negative is not None and far.index_error is not None
    f1 = (far.all.f1, near.all.f1, far.positive.f1, far.negative.f1)
    chosen = f"{settings.evidence}, {settings.window_px}, {settings.threshold:g}"
    return f"| {name} | {' | '.join(f'{value:.3f}' for value in f1)} | {far.index_error:.1f} | {chosen} |"


if __name__ == "__main__":
    main()
