"""`wsi-edt bundle`: a model from a training's checkpoint."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds the data sets; their validation images choose evidence, window and threshold.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the model; its name becomes the model's.",
)
@click.option(
    "--validate-on", default="bcdata", show_default=True, help="The set whose validation images choose."
)
@click.option("--version", default="1", show_default=True, help="The model's version.")
@click.option("--halo-px", default=64, show_default=True, help="px at a tile's edge whose maps aren't used.")
def bundle(checkpoint: Path, data: Path, out: Path, validate_on: str, version: str, halo_px: int) -> None:
    """Make a model of the training state CHECKPOINT: half-precision weights and their description.

    How maps become cells (evidence, window, threshold) is chosen on validation images, which the training didn't see; the
    description holds the scores there. Write the model card, README.md, beside them.
    """
    from wsi_edt.training.bundling import bundle_checkpoint

    made = bundle_checkpoint(checkpoint, data, out, validate_on=validate_on, version=version, halo_px=halo_px)
    click.echo(f"{made.directory}: {made.decode}")
    for name, value in made.scores.items():
        click.echo(f"  {name:24} {value:.4f}")
