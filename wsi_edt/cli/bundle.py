"""`wsi-edt bundle`: makes a model from a training's checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from wsi_edt.cli.decoding import EVIDENCES, GAIN, METHOD_WORDS, METHODS
from wsi_edt.cli.numbers import Finite
from wsi_edt.cli.paths import OutFolder


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds the data sets: window, threshold and gain are chosen on images that weren't trained "
    "on.",
)
@click.option(
    "--out",
    required=True,
    type=OutFolder(),
    help="Folder for the model; its name becomes the model's.",
)
@click.option(
    "--fold",
    "folds",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint of a cross-validation, given for each of its folds: the settings are chosen on what they held out.",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help=f"How cells are found in a map: {METHOD_WORDS}  [default: as the training validated]",
)
@click.option(
    "--evidence",
    type=click.Choice(EVIDENCES),
    help="Look for cells on the maximum or the sum of the positive and negative maps, on the nucleus map, or on the "
    "positive and the negative map separately, where a nucleus in both counts twice.  [default: sum, or nucleus "
    "without classes]",
)
@click.option(
    "--window",
    "window_px",
    type=int,
    metavar="PX",
    help="Side of the method's window, an odd number of px.  [default: chosen as well]",
)
@click.option(
    "--threshold",
    type=Finite(min=0.0),
    help="The score that a cell must exceed, if something other than the labels settles it (the same tissue on two "
    "scanners should have the same index, for example); of lmss and lmds a share of the map's maximum.  [default: chosen "
    "as well, but for lmds, whose own is 100/255]",
)
@click.option(
    "--negative-gain",
    type=GAIN,
    help="By how much the negative map is multiplied where cells are looked for, so that a threshold drops pale and dark "
    "nuclei alike.  [default: the one with which the index moves least over the threshold]",
)
@click.option("--version", default="1", show_default=True, help="The model's version.")
@click.option(
    "--halo-px",
    default=64,
    show_default=True,
    help="px at a tile's edge whose maps aren't used, a multiple of 32.",
)
@click.option(
    "--changed-data",
    is_flag=True,
    help="Choose the settings on the images as they are now, though they aren't those that the training was validated on.",
)
@click.option("--overwrite", is_flag=True, help="Replace a model that is there; other files stay.")
@click.option("--overwrite-card", is_flag=True, help="Replace README.md if there is one.")
def bundle(
    checkpoint: Path,
    data: Path,
    out: Path,
    folds: tuple[Path, ...],
    method: str | None,
    evidence: Literal["max", "sum", "nucleus", "separate"] | None,
    window_px: int | None,
    threshold: float | None,
    negative_gain: float | None,
    version: str,
    halo_px: int,
    changed_data: bool,
    overwrite: bool,
    overwrite_card: bool,
) -> None:
    """Make a model from a training's CHECKPOINT (checkpoint.safetensors, or best.safetensors beside it).

    This writes half-precision weights, their description, and a draft of the model card, README.md: training data with
    their licences, the command, the accuracy. Complete it by hand; a card that is there stays.

    How maps become cells by that method (window, threshold, gain) is chosen on images that weren't trained on:
    the sets under [[validation]] in the training's configuration, or with --fold what the folds of a cross-validation held
    out. They must be those of the training, unless --changed-data is given.
    """
    from wsi_edt.training.bundling import bundle_checkpoint

    made = bundle_checkpoint(
        checkpoint,
        data,
        out,
        folds=folds,
        method=method,
        evidence=evidence,
        window_px=window_px,
        threshold=threshold,
        negative_gain=negative_gain,
        version=version,
        halo_px=halo_px,
        changed_data=changed_data,
        overwrite=overwrite,
        overwrite_card=overwrite_card,
    )
    decode = made.decode
    click.echo(
        f"{made.directory}: {decode.method}, evidence {decode.evidence}, window {decode.window_px} px, threshold "
        f"{decode.threshold:g}, negative maps × {decode.negative_gain:g}"
    )
    for name, value in made.metrics.items():
        click.echo(f"  {name:24} {value:.4f}")
