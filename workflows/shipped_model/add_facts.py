"""Writes into a model's description what models of earlier versions lack, and a run doubts slides by.

    python workflows/shipped_model/add_facts.py models/ki67-m-hrnet-w18 --data DATA

These are the stains of its training pictures, and the median score of the cells that it finds on the pictures that its
settings were chosen on. `--of SET` (several times) prints how far that set's pictures lie from the stains instead of
writing anything: the least, the median and the largest distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from leave_one_out import predictor_from

from wsi_edt.bundles import Bundle, find_bundle
from wsi_edt.bundles.bundle import DESCRIPTION, MEDIAN_SCORE, write_description
from wsi_edt.datasets import LabelledImage, SetSpec, read_set
from wsi_edt.errors import WsiEdtError
from wsi_edt.slides.stain_style import stain_style
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.material import training_images, validation_images
from wsi_edt.training.stains import known_stains


def median_score(bundle: Bundle, images: Sequence[LabelledImage]) -> float:
    """Of the cells that a model finds with its own settings in these pictures."""
    predictor = predictor_from(bundle)
    found = [predictor.predict(image).predicted(bundle.decode).score for image in images]
    return round(float(np.median(np.concatenate(found))), 4)


@click.command()
@click.argument("model")
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--of", "sets", multiple=True, help="A set to compare; can be given several times.")
def main(model: str, data: Path, sets: tuple[str, ...]) -> None:
    """Write the stains of MODEL's training pictures and its median score, or compare with the stains."""
    try:
        bundle = find_bundle(model)
        config = TrainConfig.from_json(bundle.training["configuration"])
        known = known_stains(training_images(config, data))
        if known is None:
            raise click.ClickException("the model was trained on too few Ki-67 pictures to tell anything")
        if not sets:
            score = median_score(bundle, validation_images(config, data))
            metrics = {**bundle.metrics, MEDIAN_SCORE: score}
            write_description(replace(bundle, stains=known, metrics=metrics))
            path = bundle.directory / DESCRIPTION
            click.echo(f"{known.pictures} pictures, median score {score:g}: {path}")
        for name in sets:
            pictures = read_set(SetSpec(name=name, split="all"), data)
            styles = [stain_style([one.pixels], mpp=one.image_mpp) for one in pictures]
            distances = [known.distance(style) for style in styles if style is not None]
            low, middle, high = np.percentile(distances, (0, 50, 100))
            click.echo(f"{name}, {len(distances)} pictures: {low:.1f}, {middle:.1f}, {high:.1f}")
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
