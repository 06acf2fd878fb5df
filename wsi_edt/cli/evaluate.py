"""`wsi-edt evaluate`: scores predicted cells against annotated ones."""

from __future__ import annotations

import json
from pathlib import Path

import click

from wsi_edt.cells import Cells
from wsi_edt.errors import UsageError
from wsi_edt.evaluation import DetectionScore, ImageScores, read_pairs, score_images
from wsi_edt.export.atomic import write_atomically

# The µm per px in which radii are given for Ki-67 sets and slides: BCData's 640 px at 0.25 µm brought to 512 px.
RADIUS_MPP = 0.3125


@click.command()
@click.argument("predicted", required=False, type=click.Path(exists=True, path_type=Path))
@click.argument("truth", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--model", help="Score this model (a shipped one's name, or a folder) instead of PREDICTED.")
@click.option(
    "--dataset",
    type=(str, click.Path(exists=True, file_okay=False, path_type=Path)),
    metavar="NAME FOLDER",
    help="With --model: on this data set, as it is distributed (for example: bcdata data/bcdata).",
)
@click.option("--split", default="validation", show_default=True, help="With --dataset: train or validation.")
@click.option(
    "--radius",
    "radii_px",
    type=click.FloatRange(min=0.0),
    multiple=True,
    default=(10.0, 5.0),
    show_default=True,
    help="The largest distance of a match, px. Can be given several times.",
)
@click.option(
    "--mpp",
    type=click.FloatRange(min=0.0, min_open=True),
    help=f"µm per px of both files' coordinates. With it the radii are px of {RADIUS_MPP} µm, not the files' px.",
)
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the scores there too."
)
def evaluate(
    predicted: Path | None,
    truth: Path | None,
    model: str | None,
    dataset: tuple[str, Path] | None,
    split: str,
    radii_px: tuple[float, ...],
    mpp: float | None,
    json_path: Path | None,
) -> None:
    """Score the PREDICTED cells against the TRUTH, or a model on a data set.

    PREDICTED and TRUTH are points files, or folders of them in which files of equal names belong together: GeoJSON as
    QuPath writes it, CSV with a header (x, y; class, score and image where known), or text of one line per image.
    Predictions are matched to cells one to one, as many as there can be; precision, recall and F1 come from the sums over
    all images. With --model and --dataset the radii are px of the model.
    """
    if model is not None and dataset is not None and predicted is None and mpp is None:
        facts: dict[str, object] = {"model": model, "dataset": dataset[0], "split": split}
        results, mpp = _model_scores(model, *dataset, split=split, radii_px=radii_px)
    elif predicted is not None and truth is not None and model is None and dataset is None:
        factor = 1.0 if mpp is None else mpp / RADIUS_MPP
        pairs = [
            (_scaled(p.predicted, factor), _scaled(p.truth, factor)) for p in read_pairs(predicted, truth)
        ]
        results = [score_images(pairs, radius_px=radius_px) for radius_px in radii_px]
        mpp = None if mpp is None else RADIUS_MPP
        facts = {"predicted": str(predicted), "truth": str(truth)}
    else:
        raise UsageError("give either PREDICTED and TRUTH (and perhaps --mpp), or --model and --dataset")
    click.echo("\n\n".join(_table(scores, mpp) for scores in results))
    if json_path is not None:
        facts |= {"radius_mpp": mpp, "results": [scores.to_json() for scores in results]}
        write_atomically(json_path, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())


def _model_scores(
    model: str, name: str, folder: Path, *, split: str, radii_px: tuple[float, ...]
) -> tuple[list[ImageScores], float]:
    """A model's scores on a data set, one per radius, and the µm per px of the radii."""
    from wsi_edt.bundles import find_bundle, load_network
    from wsi_edt.training.datasets import read_dataset
    from wsi_edt.training.validation import predict, score

    bundle = find_bundle(model)
    predictions = predict(load_network(bundle), read_dataset(name, folder, split), mpp=bundle.mpp)
    return [score(predictions, bundle.decode, radius_px=radius_px) for radius_px in radii_px], bundle.mpp


def _scaled(cells: Cells, factor: float) -> Cells:
    return Cells(cells.x * factor, cells.y * factor, cells.score, cells.class_id)


def _table(scores: ImageScores, mpp: float | None) -> str:
    """One radius's scores as lines of text."""
    unit = "px" if mpp is None else f"px of {mpp:g} µm"
    lines = [
        f"{scores.images} image{'' if scores.images == 1 else 's'}, matched within {scores.radius_px:g} {unit}",
        f"{'':10}{'cells':>8}{'found':>8}{'matched':>9}{'precision':>11}{'recall':>8}{'F1':>8}",
        _row("all", scores.all),
    ]
    if scores.positive is not None and scores.negative is not None:
        lines += [_row("positive", scores.positive), _row("negative", scores.negative)]
    lines.append(f"cells per image: mean absolute error {scores.count_mae:.2f}, RMSE {scores.count_rmse:.2f}")
    if scores.index_error is not None:
        lines.append(f"Ki-67 index per image: mean absolute error {scores.index_error:.2f} points")
    return "\n".join(lines)


def _row(name: str, score: DetectionScore) -> str:
    counts = f"{score.truth:>8}{score.predicted:>8}{score.true_positives:>9}"
    return f"{name:10}{counts}{score.precision:>11.3f}{score.recall:>8.3f}{score.f1:>8.3f}"
