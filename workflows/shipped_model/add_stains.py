"""Writes the stains of a model's training pictures into its description, which models of earlier trainings lack.

    python workflows/shipped_model/add_stains.py models/ki67-m-hrnet-w18 --data DATA

With them a run flags slides whose stain is unlike all of these. `--of SET` (several times) prints how far that set's
pictures lie from them instead of writing anything: the least, the median and the largest distance.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from wsi_edt.bundles import find_bundle
from wsi_edt.bundles.bundle import write_description
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.errors import WsiEdtError
from wsi_edt.slides.stain_style import stain_style
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.material import training_images
from wsi_edt.training.stains import known_stains


@click.command()
@click.argument("model")
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--of", "sets", multiple=True, help="A set to compare; can be given several times.")
def main(model: str, data: Path, sets: tuple[str, ...]) -> None:
    """Write, or compare with, the stains of MODEL's training pictures."""
    try:
        bundle = find_bundle(model)
        known = known_stains(training_images(TrainConfig.from_json(bundle.training["configuration"]), data))
        if known is None:
            raise click.ClickException("the model was trained on too few Ki-67 pictures to tell anything")
        if not sets:
            write_description(replace(bundle, stains=known))
            click.echo(f"{known.pictures} pictures: {bundle.directory / 'model.toml'}")
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
