"""Networks between two models: means of their weights, tested at home and in a laboratory.

    python workflows/shipped_model/between.py FIRST SECOND --data DATA [--share 0 --share 0.5 --share 1]
        [--laboratory immunoratio --case 16704-03]

A network that went on learning elsewhere often keeps more of what it knew where its weights are moved a part of the way
back to where it started (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022). Settings are chosen on
bcdata's validation images at each share; the columns are those of leave_one_out.py.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from leave_one_out import CHOSEN_ON, CLICKS_UM, LABORATORIES, OF_SET, columns_of, predictions

from wsi_edt.bundles import find_bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.datasets import SetSpec
from wsi_edt.detection.whole_image import NetworkMaps
from wsi_edt.errors import WsiEdtError
from wsi_edt.evaluation.predictions import Predictor
from wsi_edt.evaluation.selection import select


def mixed(first: torch.nn.Module, second: torch.nn.Module, share: float) -> dict[str, torch.Tensor]:
    """The state of a network whose weights lie that share of the way from the first to the second of two alike."""
    there = second.state_dict()
    return {
        name: torch.lerp(here, there[name], share) if here.is_floating_point() else there[name]
        for name, here in first.state_dict().items()
    }


def predictor_between(first: str, second: str, share: float) -> Predictor:
    """The network, with the second model's input and maps; UsageError if the two have nothing between them."""
    one, other = find_bundle(first), find_bundle(second)
    if (one.network, one.decode.maps, one.model_mpp) != (other.network, other.decode.maps, other.model_mpp):
        raise click.UsageError(
            f"{first} and {second} have different networks, maps or µm/px: there is nothing between them"
        )
    network = load_network(other)
    network.load_state_dict(mixed(load_network(one), network, share))
    return Predictor(
        NetworkMaps(network, other.normalisation), other.model_mpp, other.decode.maps, other.network.stride
    )


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--share", "shares", multiple=True, type=click.FloatRange(0, 1), default=(0, 0.25, 0.5, 0.75, 1)
)
@click.option("--laboratory", type=click.Choice(list(LABORATORIES)), default="immunoratio", show_default=True)
@click.option(
    "--case", "cases", multiple=True, help="Of the laboratory, this case alone; several times for several."
)
def main(
    first: str, second: str, data: Path, shares: tuple[float, ...], laboratory: str, cases: tuple[str, ...]
) -> None:
    """Print two rows for each share of SECOND: at home (bcdata validation) and in the laboratory."""
    there = SetSpec(name=laboratory, split="all", clicks_um=CLICKS_UM.get(laboratory, 0), cases=cases or None)
    click.echo(f"| share | tested on | {' | '.join(OF_SET)} |")
    click.echo("|---" * (len(OF_SET) + 2) + "|")
    try:
        for share in shares:
            predictor = predictor_between(first, second, share)
            home = predictions(predictor, CHOSEN_ON, data)
            chosen = select(home)
            for name, images in (
                ("bcdata validation", home),
                (laboratory, predictions(predictor, there, data)),
            ):
                row = columns_of(images, chosen, laboratory=name, model_mpp=predictor.model_mpp)
                click.echo(f"| {share:g} | {name} | {' | '.join(row)} |")
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
