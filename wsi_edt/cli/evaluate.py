"""`wsi-edt evaluate`: scores a model on a data set, or predicted cells against annotated ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsi_edt.cli.numbers import Finite
from wsi_edt.cli.paths import OutFile, OutFolder
from wsi_edt.errors import UsageError

if TYPE_CHECKING:
    from wsi_edt.cells import Cells
    from wsi_edt.datasets import LabelledImage
    from wsi_edt.evaluation import Assessment, ImagePair

# The µm per px in which radii are given for Ki-67 sets and slides: BCData's 640 px at 0.25 µm brought to 512 px.
RADIUS_MPP = 0.3125
LARGEST_MPP = 1000.0
SWEPT_FROM = 0.04  # the lowest score that a sweep looks at: below it an EDT map is noise


@click.command()
@click.argument("predicted", required=False, type=click.Path(exists=True, path_type=Path))
@click.argument("truth", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--model", help="Score this model (a shipped one's name, or a folder) instead of PREDICTED.")
@click.option(
    "--dataset",
    type=(str, click.Path(exists=True, file_okay=False, path_type=Path)),
    metavar="FORMAT FOLDER",
    help="With --model: on this data set, as it is distributed (for example: bcdata data/bcdata).",
)
@click.option(
    "--split",
    help="With --dataset: its train, validation or test part, or all.  [default: validation; all where the set has none]",
)
@click.option(
    "--radius",
    "radii_px",
    type=Finite(min=0.0),
    multiple=True,
    default=(10.0, 5.0),
    show_default=True,
    help="The largest distance of a match, px. Can be given several times.",
)
@click.option(
    "--mpp",
    type=Finite(min=0.0, min_open=True, max=LARGEST_MPP),
    help=f"µm per px of both files' coordinates: the radii are then px of {RADIUS_MPP} µm. With --dataset: of its images.",
)
@click.option(
    "--bootstrap",
    "resamples",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Resamples of the images (of the cases, where they are known) for 95 % intervals; 0 for none.",
)
@click.option("--json", "json_path", type=OutFile(), help="Write the scores there too.")
@click.option(
    "--figure",
    "figure_path",
    type=OutFile(),
    help="Draw the scores, over the threshold too, there: .svg, .png or .pdf.",
)
@click.option(
    "--sweep",
    "sweep_path",
    type=OutFile(),
    help="Write the scores at every score threshold there, as CSV.",
)
@click.option(
    "--failures",
    "failures_folder",
    type=OutFolder(),
    help="With --dataset: draw the worst images with what was found and missed into this folder.",
)
@click.option(
    "--worst", type=click.IntRange(min=1), default=6, show_default=True, help="With --failures: how many."
)
def evaluate(
    predicted: Path | None,
    truth: Path | None,
    model: str | None,
    dataset: tuple[str, Path] | None,
    split: str | None,
    radii_px: tuple[float, ...],
    mpp: float | None,
    resamples: int,
    json_path: Path | None,
    figure_path: Path | None,
    sweep_path: Path | None,
    failures_folder: Path | None,
    worst: int,
) -> None:
    """Score a model on a data set, or the PREDICTED cells against the TRUTH.

    PREDICTED and TRUTH are points files, or folders of them in which files of equal names belong together: GeoJSON as
    QuPath writes it, CSV with a header (x, y; class, score and image where known), or text of one line per image.
    Predictions are matched to cells one to one, as many as there can be; precision, recall and F1 come from the sums over
    all images. With --model and --dataset the radii are px of the model.
    """
    from wsi_edt.evaluation import assess
    from wsi_edt.evaluation.figure import check_figure_path

    if figure_path is not None:
        check_figure_path(figure_path)
    if model is not None and dataset is not None and predicted is None:
        material = _model_on_dataset(model, *dataset, split=split, mpp=mpp)
    elif predicted is not None and truth is not None and model is None and dataset is None:
        if split is not None or failures_folder is not None:
            raise UsageError("--split and --failures are for images; give --model and --dataset with them")
        material = _files(predicted, truth, mpp=mpp)
    else:
        raise UsageError("give either PREDICTED and TRUTH (and perhaps --mpp), or --model and --dataset")
    if not material.pairs:
        raise UsageError(f"neither {predicted} nor {truth} holds a point; there is nothing to score")
    assessment = assess(
        material.pairs, radii_px=radii_px, mpp=material.mpp, threshold=material.threshold, resamples=resamples
    )
    _print_tables(assessment, material, intervals=resamples > 0)
    _write_files(assessment, material, json_path=json_path, figure_path=figure_path, sweep_path=sweep_path)
    if failures_folder is not None:
        _write_failures(failures_folder, assessment, material, count=worst)


@dataclass(frozen=True, slots=True, eq=False)
class _Material:
    """What is scored.

    Attributes
    ----------
    pairs : of each image, in px of `mpp` µm
    mpp : µm per px of the radii, where known
    threshold : of the scores that count; None: all predictions do
    facts : what it is, for the JSON
    title : what it is, for the figure
    note : a sentence on what the labels can't say; empty where they can be trusted
    images : of a data set, in the order of `pairs`
    """

    pairs: Sequence[ImagePair]
    mpp: float | None
    threshold: float | None
    facts: Mapping[str, object]
    title: str
    note: str = ""
    images: Sequence[LabelledImage] = ()


def _model_on_dataset(
    model: str, form: str, folder: Path, *, split: str | None, mpp: float | None
) -> _Material:
    """What a model finds on a data set's images, from low scores on, for the sweep."""
    from wsi_edt.bundles import find_bundle, load_network
    from wsi_edt.datasets import FORMATS, SetSpec, read_set
    from wsi_edt.evaluation import ImagePair
    from wsi_edt.training.validation import predict

    bundle = find_bundle(model)
    if split is None:
        split = "validation" if form in FORMATS and "validation" in FORMATS[form].splits else "all"
    images = read_set(SetSpec(name=form, folder=folder.absolute(), split=split, mpp=mpp), Path())
    network = load_network(bundle)
    lowest = replace(bundle.decode, threshold=min(SWEPT_FROM, bundle.decode.threshold))
    pairs = []
    for image in _with_progress(images):
        (found,) = predict(network, [image], mpp=bundle.mpp)  # one at a time: maps of thousands wouldn't fit
        pairs.append(ImagePair(found.name, found.case, found.predicted(lowest), found.truth))
    return _Material(
        pairs,
        bundle.mpp,
        bundle.decode.threshold,
        {"model": f"{bundle.name} {bundle.version}", "dataset": form, "split": split},
        f"{bundle.name} {bundle.version} on {form}, {split}",
        _note_on_labels(images, has_classes="positive" in bundle.decode.maps),
        images,
    )


def _note_on_labels(images: Sequence[LabelledImage], *, has_classes: bool) -> str:
    from wsi_edt.datasets import Labelled

    partial = sum(
        (image.nuclei if image.classes is Labelled.NOWHERE or not has_classes else image.classes)
        is Labelled.NEAR_POINTS
        for image in images
    )
    if not partial:
        return ""
    return (
        f"The labels of {partial} of {len(images)} images are partial: cells without a point count as false although they "
        "may be right. Recall is what it says; precision, F1, counts and the index are not."
    )


def _files(predicted: Path, truth: Path, *, mpp: float | None) -> _Material:
    """What points files hold; with `mpp` in px of `RADIUS_MPP` µm."""
    from wsi_edt.evaluation import read_pairs

    pairs = read_pairs(predicted, truth)
    if mpp is not None:
        factor = mpp / RADIUS_MPP
        pairs = tuple(
            replace(pair, predicted=_scaled(pair.predicted, factor), truth=_scaled(pair.truth, factor))
            for pair in pairs
        )
    return _Material(
        pairs,
        None if mpp is None else RADIUS_MPP,
        None,
        {"predicted": str(predicted), "truth": str(truth)},
        f"{predicted.name} against {truth.name}",
    )


def _scaled(cells: Cells, factor: float) -> Cells:
    return replace(cells, x=cells.x * factor, y=cells.y * factor)


def _with_progress(images: Sequence[LabelledImage]) -> Iterable[LabelledImage]:
    """The images, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(images, "images", console=console, transient=True, disable=not console.is_terminal)


def _print_tables(assessment: Assessment, material: _Material, *, intervals: bool) -> None:
    from wsi_edt.evaluation.table import interval_note, score_table

    tables = [score_table(scores, mpp=assessment.mpp) for scores in assessment.scores]
    notes = [material.note]
    if intervals:
        notes.append(interval_note(assessment.scores[0], cases=len({pair.case for pair in material.pairs})))
    click.echo("\n\n".join([*tables, *filter(None, notes)]))


def _write_files(
    assessment: Assessment,
    material: _Material,
    *,
    json_path: Path | None,
    figure_path: Path | None,
    sweep_path: Path | None,
) -> None:
    """Write what was asked for."""
    from wsi_edt.evaluation import sweep_csv
    from wsi_edt.evaluation.figure import write_figure
    from wsi_edt.files import write_atomically

    if json_path is not None:
        facts = {**material.facts, "note": material.note or None, **assessment.to_json()}
        write_atomically(json_path, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())
    if sweep_path is not None:
        if not assessment.sweeps:
            raise UsageError(
                f"{material.title}: all predictions have one score, so that there is nothing to sweep; leave --sweep "
                "out, or give predictions with scores"
            )
        write_atomically(sweep_path, sweep_csv(assessment.sweeps))
    if figure_path is not None:
        write_figure(figure_path, assessment, title=material.title)


def _write_failures(folder: Path, assessment: Assessment, material: _Material, *, count: int) -> None:
    """Draw the worst images, the worst one first."""
    from wsi_edt.evaluation.failures import caption, failure_picture, fates, worst_images, write_picture
    from wsi_edt.geometry import Window
    from wsi_edt.slides import ImageSlide, read_window

    assert material.mpp is not None and material.threshold is not None, "a model has both"
    radius_px, has_classes = assessment.outcomes[0].radius_px, assessment.outcomes[0].has_classes
    for rank, place in enumerate(worst_images(assessment, count), start=1):
        image, pair = material.images[place], material.pairs[place]
        height, width = (round(side * image.mpp / material.mpp) for side in image.pixels.shape[:2])
        slide = ImageSlide(image.path, image.pixels, image.mpp)
        pixels = read_window(slide, Window(0, 0, width, height), mpp=material.mpp)
        counted = pair.predicted.select(pair.predicted.score > material.threshold)
        found = fates(counted, pair.truth, radius_px=radius_px, has_classes=has_classes)
        picture = failure_picture(pixels, found, caption=caption(assessment, place))
        write_picture(folder / f"{rank:02}-{Path(pair.image).stem}.jpg", picture)
