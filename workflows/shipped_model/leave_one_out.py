"""How well a recipe does in a laboratory that it never saw: each of the Ki-67 sets left out in turn.

    python workflows/shipped_model/leave_one_out.py CONFIG.toml --data DATA --out RUNS [--only immunoratio] [--seeds 3]

Each training goes without the set, and without its colours; it can be stopped and continued. Settings are chosen on what
the other sets hold back (bcdata's validation images; glioma's if bcdata is left out). `--score MODEL` tests an existing
model in the same way, which says something about the sets that it wasn't trained on; `--as-shipped` by the settings that it
came with. `--norms 0.5` tests with batch norms that take half of their statistics from each picture itself: what adapting
to a slide could gain.

columns.py says what the columns are; "scores" is the cells' median score as a share of that of the images that chose the
settings. immunoratio's points are clicks, which are moved to dark spots near them first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import numpy as np
from adapted import AdaptedMaps
from columns import COLUMNS, columns

from wsi_edt.bundles import Bundle, find_bundle
from wsi_edt.bundles.bundle import MEDIAN_SCORE
from wsi_edt.bundles.weights import load_network
from wsi_edt.cli.decoding import GAIN
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.detection.compute import Device
from wsi_edt.detection.runtimes.runtime import MapRunner
from wsi_edt.detection.whole_image import NetworkMaps
from wsi_edt.errors import WsiEdtError
from wsi_edt.evaluation.predictions import PredictedImage, Predictor
from wsi_edt.evaluation.selection import Selection, select
from wsi_edt.networks import IMAGENET
from wsi_edt.training import read_config, train
from wsi_edt.training.checkpoint import network_of, read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.validation import predictor_of

# What a laboratory's pictures are, labelled and unlabelled ones.
LABORATORIES = {
    "bcdata": ("bcdata",),
    "shidc": ("shidc",),
    "glioma": ("glioma", "unlabelled/glioma_ki67"),
    "immunoratio": ("immunoratio",),
    "gepnet": ("gepnet",),
}
CHOSEN_ON, OTHERWISE = SetSpec(name="bcdata", split="validation"), SetSpec(name="glioma")
# How far points are moved at most to their nuclei's middle before they are scored.
CLICKS_UM = {"immunoratio": 5.0}
OF_SET = (*COLUMNS, "scores", "settings")
NUCLEI_ALONE = ("gepnet",)  # whose points have no class
HEAD = ("left out", "seed", "images", *OF_SET)

gains_option = click.option(
    "--negative-gain",
    "gains",
    type=GAIN,
    multiple=True,
    help="Of the negative map, instead of what the other sets choose. Can be given several times.",
)


def without(recipe: TrainConfig, laboratory: str, *, seed: int) -> TrainConfig:
    """The recipe without a laboratory's sets and colours."""
    own = LABORATORIES[laboratory]
    entries = recipe.model_dump(exclude_none=True)
    entries["sets"] = [one for one in entries["sets"] if one["name"] not in own]
    for one in entries["sets"]:
        if one["name"] == "bcdata":
            one["split"] = "train"  # its validation images choose the settings
    styles = [name for name in recipe.augmentation.styles if name not in own]
    if laboratory == "bcdata":
        entries["sets"] = [one for one in entries["sets"] if one["name"] != OTHERWISE.name]
        styles = [name for name in styles if name != OTHERWISE.name]
    entries["augmentation"] |= {"styles": styles, "style": recipe.augmentation.style if styles else 0.0}
    return TrainConfig.model_validate(entries | {"seed": seed, "validation": [], "folds": None})


def predictions(predictor: Predictor, spec: SetSpec, data: Path) -> list[PredictedImage]:
    """The network's maps of a set's images."""
    return [predictor.predict(image) for image in read_set(spec, data)]


def rows_of(
    laboratory: str,
    predictor: Predictor,
    data: Path,
    *,
    seed: str,
    cases: tuple[str, ...] = (),
    gains: Sequence[float] = (),
    shipped: Selection | None = None,
) -> list[list[str]]:
    """The metrics of a network in a laboratory, or on some of its cases.

    A row for each gain of the negative map; without `gains`, one for that which the settings are chosen with. `shipped`
    settings are used as they are.
    """
    selections = [shipped] if shipped else _chosen_elsewhere(laboratory, predictor, data, gains)
    spec = SetSpec(name=laboratory, split="all", clicks_um=CLICKS_UM.get(laboratory, 0), cases=cases or None)
    images = predictions(predictor, spec, data)
    rows = []
    for chosen in selections:
        own = columns_of(images, chosen, laboratory=laboratory, model_mpp=predictor.model_mpp)
        rows.append([laboratory, seed, str(len(images)), *own])
    return rows


def _chosen_elsewhere(
    laboratory: str, predictor: Predictor, data: Path, gains: Sequence[float]
) -> list[Selection]:
    chosen_on = OTHERWISE if laboratory == "bcdata" else CHOSEN_ON
    others = predictions(predictor, chosen_on, data)
    return [select(others, negative_gain=gain) for gain in gains or (None,)]


def columns_of(
    images: Sequence[PredictedImage], chosen: Selection, *, laboratory: str, model_mpp: float
) -> list[str]:
    """What `OF_SET` names, of a laboratory's images."""
    settings = chosen.settings
    found = columns(
        [(image, settings) for image in images], model_mpp=model_mpp, nuclei=laboratory in NUCLEI_ALONE
    )
    scores = np.concatenate([image.predicted(settings).score for image in images])
    usual = chosen.metrics.get(MEDIAN_SCORE)  # models from before version 5 don't say
    share = f"{np.median(scores) / usual:.2f}" if len(scores) and usual else ""
    words = (settings.evidence, settings.window_px, f"{settings.threshold:g}", f"{settings.negative_gain:g}")
    return [*found, share, ", ".join(map(str, words))]


def trained_without(
    own: TrainConfig, data: Path, folder: Path, *, device: Device, norms: float = 0.0
) -> Predictor:
    """The network of a recipe (of `without`), trained if it isn't yet; `norms` as in `predictor_from`."""
    network = network_of(own, read_trained(train(own, data, folder, device=device)).weights)
    if norms:
        return replace(predictor_of(network, own), runner=AdaptedMaps(network, IMAGENET, norms))
    return predictor_of(network.to(device), own)


def predictor_from(bundle: Bundle, *, norms: float = 0.0) -> Predictor:
    """A model in float32, whose batch norms take that share of their statistics from each picture."""
    network = load_network(bundle)
    runner: MapRunner = NetworkMaps(network, bundle.normalisation)
    if norms:
        runner = AdaptedMaps(network, bundle.normalisation, norms)
    return Predictor(runner, bundle.model_mpp, bundle.decode.maps, bundle.network.stride)


def _test_model(
    model: str,
    laboratories: Sequence[str],
    data: Path,
    cases: tuple[str, ...],
    norms: float,
    gains: tuple[float, ...],
    as_shipped: bool,
) -> None:
    bundle = find_bundle(model)
    predictor = predictor_from(bundle, norms=norms)
    shipped = Selection(bundle.decode, dict(bundle.metrics)) if as_shipped else None
    for laboratory in laboratories:
        seed = f"{bundle.name} {bundle.version}"
        of_cases = partial(rows_of, laboratory, predictor, data, seed=seed, cases=cases)
        for row in of_cases(gains=gains, shipped=shipped):
            click.echo(f"| {' | '.join(row)} |")


def _train_without_each(
    recipe: TrainConfig,
    laboratories: Sequence[str],
    data: Path,
    out: Path,
    *,
    seeds: int,
    device: Device,
    norms: float,
    gains: tuple[float, ...],
) -> None:
    for seed in range(1, seeds + 1):
        for laboratory in laboratories:
            own = without(recipe, laboratory, seed=seed)
            folder = out / f"{laboratory}-{seed}"
            predictor = trained_without(own, data, folder, device=device, norms=norms)
            for row in rows_of(laboratory, predictor, data, seed=str(seed), gains=gains):
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
@click.option("--score", "model", help="A model to test instead of training.")
@click.option(
    "--case", "cases", multiple=True, help="With --score: on this case alone. Can be given several times."
)
@click.option(
    "--norms",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of a picture's own statistics in batch norms.",
)
@gains_option
@click.option("--as-shipped", is_flag=True, help="With --score: by the model's own settings.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(
    config: Path,
    data: Path,
    out: Path,
    only: tuple[str, ...],
    seeds: int,
    model: str | None,
    cases: tuple[str, ...],
    norms: float,
    gains: tuple[float, ...],
    as_shipped: bool,
    device: Device,
) -> None:
    """Train without each laboratory in turn, and print how well its nuclei are found: a row for each and seed."""
    if model is None and (as_shipped or cases):
        raise click.UsageError("--as-shipped and --case go with --score")
    if as_shipped and (gains or norms):
        raise click.UsageError(
            "--as-shipped takes the model as it came: leave out --negative-gain and --norms"
        )
    laboratories = only or tuple(LABORATORIES)
    click.echo(f"| {' | '.join(HEAD)} |")
    click.echo("|---" * len(HEAD) + "|")
    if model is not None:
        try:
            _test_model(model, laboratories, data, cases, norms, gains, as_shipped)
        except WsiEdtError as error:
            raise click.ClickException(str(error)) from error
        return
    try:
        _train_without_each(
            read_config(config), laboratories, data, out, seeds=seeds, device=device, norms=norms, gains=gains
        )
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
