"""How well a recipe does in a laboratory that it never saw: each of the Ki-67 sets left out in turn.

    python workflows/shipped_model/leave_one_out.py CONFIG.toml --data DATA --out RUNS [--only immunoratio] [--seeds 3]

Each training goes without the set, and without its colours; it can be stopped and continued. Settings are chosen on what
the other sets hold back (bcdata's validation images; glioma where bcdata is left out). `--score MODEL` scores a model that
is there already in the same way, which says something of the sets that it wasn't trained on.

Read of each set what its labels allow: shidc and gepnet mark some nuclei alone, so that only recall means something;
immunoratio's points are clicks that miss the centre by 1.3 µm, so that 6 µm is its radius beside the usual ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from torch import nn

from wsi_edt.bundles import Bundle, find_bundle, load_network
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.errors import WsiEdtError
from wsi_edt.evaluation import ImageScores
from wsi_edt.maps import DecodeSettings
from wsi_edt.networks import build_network
from wsi_edt.training import read_config, train
from wsi_edt.training.checkpoint import read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.selection import select
from wsi_edt.training.validation import PredictedImage, predict, score

# What a laboratory's pictures are, labelled and unlabelled ones.
LABORATORIES = {
    "bcdata": ("bcdata",),
    "shidc": ("shidc",),
    "glioma": ("glioma", "unlabelled/glioma_ki67"),
    "immunoratio": ("immunoratio",),
    "gepnet": ("gepnet",),
}
CHOSEN_ON, OTHERWISE = SetSpec(name="bcdata", split="validation"), SetSpec(name="glioma")
UM = 6.0  # a radius for clicks
NUCLEI_ALONE = ("gepnet",)  # whose points have no class
HEAD = (
    "left out", "seed", "images", "F1 at 10 px", "5 px", "6 µm", "recall", "precision", "positive", "negative",
    "index error", "bias", "settings",
)  # fmt: skip


def without(recipe: TrainConfig, laboratory: str, *, seed: int) -> TrainConfig:
    """The recipe without a laboratory's sets and colours."""
    own = LABORATORIES[laboratory]
    entries = recipe.model_dump(exclude_none=True)
    entries["sets"] = [one for one in entries["sets"] if one["name"] not in own]
    for one in entries["sets"]:
        if one["name"] == "bcdata":
            one["split"] = "train"  # its validation images choose the settings
    styles = [name for name in recipe.augmentation.styles if name not in own]
    entries["augmentation"] |= {"styles": styles, "style": recipe.augmentation.style if styles else 0.0}
    if laboratory == "bcdata":
        entries["sets"] = [one for one in entries["sets"] if one["name"] != OTHERWISE.name]
    return TrainConfig.model_validate(entries | {"seed": seed, "validation": [], "folds": None})


def predictions(network: nn.Module, spec: SetSpec, data: Path, *, mpp: float) -> list[PredictedImage]:
    """The network's maps of a set's images."""
    return [one for image in read_set(spec, data) for one in predict(network, [image], mpp=mpp)]


def row_of(laboratory: str, network: nn.Module, data: Path, *, seed: str, mpp: float) -> list[str]:
    """The scores of a network in a laboratory."""
    network.eval()
    chosen_on = OTHERWISE if laboratory == "bcdata" else CHOSEN_ON
    settings = select(predictions(network, chosen_on, data, mpp=mpp)).settings
    images = predictions(network, SetSpec(name=laboratory, split="all"), data, mpp=mpp)
    return [laboratory, seed, str(len(images)), *figures(images, settings, laboratory=laboratory, mpp=mpp)]


def figures(
    images: Sequence[PredictedImage], settings: DecodeSettings, *, laboratory: str, mpp: float
) -> list[str]:
    """F1 at each radius, then recall, precision, F1 by class, index error and bias at 10 px, and the settings."""
    nuclei = laboratory in NUCLEI_ALONE
    at = {
        radius: score(images, settings, radius_px=radius, nuclei=nuclei) for radius in (10.0, 5.0, UM / mpp)
    }
    far = at[10.0]
    chosen = f"{settings.evidence}, {settings.window_px}, {settings.threshold:g}"
    return [
        *(f"{one.all.f1:.3f}" for one in at.values()),
        f"{far.all.recall:.3f}",
        f"{far.all.precision:.3f}",
        *(f"{one.f1:.3f}" if one else "" for one in (far.positive, far.negative)),
        *_index(far),
        chosen,
    ]


def _index(far: ImageScores) -> list[str]:
    if not far.has_index:
        return ["", ""]
    statistics = far.statistics
    return [f"{float(np.asarray(value)):.1f}" for value in (statistics.index_mae, statistics.index_bias)]


def _score_only(model: str, laboratories: Sequence[str], data: Path) -> None:
    bundle: Bundle = find_bundle(model)
    for laboratory in laboratories:
        row = row_of(
            laboratory, load_network(bundle), data, seed=f"{bundle.name} {bundle.version}", mpp=bundle.mpp
        )
        click.echo(f"| {' | '.join(row)} |")


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/left_out"),
    show_default=True,
)
@click.option(
    "--only", multiple=True, type=click.Choice(list(LABORATORIES)), help="Can be given several times."
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How often each is trained, from other random numbers.",
)
@click.option("--score", "model", help="A model to score instead of training.")
@click.option("--device", default="cpu", show_default=True)
def main(
    config: Path, data: Path, out: Path, only: tuple[str, ...], seeds: int, model: str | None, device: str
) -> None:
    """Train without each laboratory in turn, and print how well its nuclei are found: a row for each and seed."""
    laboratories = only or tuple(LABORATORIES)
    click.echo(f"| {' | '.join(HEAD)} |")
    click.echo("|---" * len(HEAD) + "|")
    if model is not None:
        try:
            _score_only(model, laboratories, data)
        except WsiEdtError as error:
            raise click.ClickException(str(error)) from error
        return
    recipe = read_config(config)
    for seed in range(1, seeds + 1):
        for laboratory in laboratories:
            own = without(recipe, laboratory, seed=seed)
            trained = read_trained(train(own, data, out / f"{laboratory}-{seed}", device=device))
            network = build_network(own.spec)
            network.load_state_dict(dict(trained.weights))
            row = row_of(laboratory, network.to(device), data, seed=str(seed), mpp=own.mpp)
            click.echo(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
