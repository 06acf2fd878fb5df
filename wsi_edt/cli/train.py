"""`wsi-edt train`: a network from labelled images."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds each data set, as it is distributed, in a folder of its name.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the checkpoint and the log go. A training that was stopped continues from here.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def train(config: Path, data: Path, out: Path, device: str) -> None:
    """Train a network as the TOML file CONFIG says.

    The same command continues a training that was stopped. `wsi-edt bundle` makes a model of the checkpoint.
    """
    from wsi_edt.detection import resolve_device
    from wsi_edt.training import read_config
    from wsi_edt.training import train as run_training

    checkpoint = run_training(
        read_config(config), data, out, device=resolve_device(device), report=click.echo
    )
    click.echo(f"{checkpoint} is ready for `wsi-edt bundle`")
