"""Chooses again how a model's maps become cells, as `wsi-edt bundle` does, for a model whose checkpoint isn't at hand.

    python workflows/shipped_model/choose_settings.py models/ki67-m-hrnet-w18 --data DATA --version 5 [--negative-gain 1.5]

The images are those that its training was validated on, as its description says. The description gets the settings and
what they reach there; the weights stay.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import click
from leave_one_out import predictor_from

from wsi_edt.bundles import find_bundle
from wsi_edt.bundles.bundle import DESCRIPTION, write_description
from wsi_edt.cli.decoding import GAIN
from wsi_edt.errors import WsiEdtError
from wsi_edt.evaluation.selection import select
from wsi_edt.maps import Evidence
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.material import validation_images


@click.command()
@click.argument("model")
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--version", required=True, help="The model's new version: other settings find other cells.")
@click.option("--evidence", type=click.Choice(get_args(Evidence)), help="Instead of the sum.")
@click.option("--window", "window_px", type=int)
@click.option("--threshold", type=float)
@click.option("--negative-gain", type=GAIN)
@click.option("--write/--print", default=True, show_default=True, help="Or only print what would be written.")
def main(
    model: str,
    data: Path,
    version: str,
    evidence: Evidence | None,
    window_px: int | None,
    threshold: float | None,
    negative_gain: float | None,
    write: bool,
) -> None:
    """Choose the settings of MODEL and write them into its description."""
    try:
        bundle = find_bundle(model)
        predictor = predictor_from(bundle)
        config = TrainConfig.from_json(bundle.training["configuration"])
        images = [predictor.predict(image) for image in validation_images(config, data)]
        chosen = select(
            images,
            method=bundle.decode.method,
            evidence=evidence,
            window_px=window_px,
            threshold=threshold,
            negative_gain=negative_gain,
        )
        if write:
            write_description(replace(bundle.with_decode(chosen.settings, chosen.metrics), version=version))
            click.echo(bundle.directory / DESCRIPTION)
        click.echo(chosen.settings)
        for name, value in chosen.metrics.items():
            click.echo(f"  {name:24} {value:.4f}")
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
