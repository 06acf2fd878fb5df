"""`wsi-edt evaluate`: compares what a model finds in a data set, or predicted cells, with annotated cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from wsi_edt.cli.decoding import EVIDENCES, GAIN, METHOD_WORDS, METHODS
from wsi_edt.cli.numbers import Finite
from wsi_edt.cli.paths import OutFile, OutFolder
from wsi_edt.errors import UsageError

if TYPE_CHECKING:
    from wsi_edt.annotations import AnnotatedSlide
    from wsi_edt.bundles import Bundle
    from wsi_edt.datasets import LabelledImage, SetSpec
    from wsi_edt.evaluation.evaluation import Evaluation

# The µm per px in which radii are given for Ki-67 sets and slides: BCData's 640 px at 0.25 µm brought to 512 px.
RADIUS_MPP = 0.3125
LARGEST_MPP = 1000.0


@click.command()
@click.argument("predicted", required=False, type=click.Path(exists=True, path_type=Path))
@click.argument("truth", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--model", help="Evaluate this model (a shipped one's name, or a folder) instead of PREDICTED.")
@click.option(
    "--dataset",
    type=(str, click.Path(exists=True, file_okay=False, path_type=Path)),
    metavar="FORMAT FOLDER",
    help="With --model: on this data set, as it is distributed (for example: bcdata data/bcdata).",
)
@click.option(
    "--split",
    help="With --dataset: its train, validation or test part, or all.  [default: validation, or all if the set has none]",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help=f"With --model: how cells are found in a map: {METHOD_WORDS}  [default: the model's]",
)
@click.option(
    "--evidence",
    type=click.Choice(EVIDENCES),
    help="With --model: look for cells on the maximum or the sum of the positive and negative maps, on the nucleus map, or "
    "on the positive and the negative map separately.  [default: the model's]",
)
@click.option(
    "--window",
    "window_px",
    type=int,
    metavar="PX",
    help="With --model: side of the method's window, an odd number of px.  [default: the model's, or the method's if its "
    "threshold means something else]",
)
@click.option(
    "--threshold",
    type=Finite(min=0.0),
    help="With --model: the score that a cell must exceed; of lmss and lmds a share of the map's maximum.  [default: the "
    "model's, or for lmds 100/255]",
)
@click.option(
    "--negative-gain",
    type=GAIN,
    help="With --model: by how much the negative map is multiplied where cells are looked for.  [default: the model's]",
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
    "--class",
    "class_names",
    metavar="NAME=CLASS",
    multiple=True,
    help="What a class of the files, or of a data set of your own, stands for: positive, negative, nucleus or ignore. Can "
    "be given several times.",
)
@click.option(
    "--slide",
    "slide_path",
    type=click.Path(exists=True, path_type=Path),
    help="The slide of PREDICTED and TRUTH: annotations of NDP.view, Cytomine and Sectra need it; its µm per px is --mpp.",
)
@click.option(
    "--bootstrap",
    "resamples",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Resamples of the images (of the cases, if they are known) for 95 % intervals; 0 for none.",
)
@click.option("--json", "json_path", type=OutFile(), help="Write the metrics to this file too.")
@click.option(
    "--figure",
    "figure_path",
    type=OutFile(),
    help="Draw the metrics, also over the threshold, to this file: .svg, .png or .pdf.",
)
@click.option(
    "--sweep",
    "sweep_path",
    type=OutFile(),
    help="Write the metrics at every score threshold to this CSV file.",
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
    method: str | None,
    evidence: Literal["max", "sum", "nucleus", "separate"] | None,
    window_px: int | None,
    threshold: float | None,
    negative_gain: float | None,
    radii_px: tuple[float, ...],
    mpp: float | None,
    class_names: tuple[str, ...],
    slide_path: Path | None,
    resamples: int,
    json_path: Path | None,
    figure_path: Path | None,
    sweep_path: Path | None,
    failures_folder: Path | None,
    worst: int,
) -> None:
    """Evaluate a model on a data set, or the PREDICTED cells against the TRUTH.

    PREDICTED and TRUTH are points files, or folders of them in which files of equal names belong together: GeoJSON as
    QuPath writes it, its exported measurements (with --mpp), CSV with a header (x, y; class, score and image if known),
    XML of ImageScope or ASAP, annotations of NDP.view, Cytomine or Sectra (with --slide), or text of one line per image.
    What isn't a cell is passed over, and said; a file that holds no cell is an error (exit code 1).
    Predictions are matched to cells one to one, as many as possible; precision, recall and F1 come from the sums over
    all images. With --model and --dataset the radii are px of the model.
    """
    from wsi_edt.datasets import SetSpec, held_out_split
    from wsi_edt.evaluation.evaluation import evaluate_files, write_json, write_sweep
    from wsi_edt.evaluation.figure import check_figure_path, write_figure
    from wsi_edt.qupath.classes import ClassNames, meanings_in

    if figure_path is not None:
        check_figure_path(figure_path)
    if slide_path is not None and (predicted is None or truth is None):
        raise UsageError("--slide is for PREDICTED and TRUTH", remedy="leave it out")
    if model is None and any(
        one is not None for one in (method, evidence, window_px, threshold, negative_gain)
    ):
        raise UsageError(
            "--method, --evidence, --window, --threshold and --negative-gain say how a model's maps become cells",
            remedy="give --model and --dataset too",
        )
    if model is not None and dataset is not None and predicted is None:
        form, folder = dataset
        split = split or held_out_split(form)
        names = meanings_in(class_names)
        data_set = SetSpec(name=form, folder=folder.absolute(), split=split, mpp=mpp, class_names=names)
        from wsi_edt.bundles import find_bundle

        bundle = find_bundle(model)
        decode = bundle.decode.changed(
            method=method,
            evidence=evidence,
            window_px=window_px,
            threshold=threshold,
            negative_gain=negative_gain,
        )
        bundle = bundle.with_decode(decode, bundle.metrics)
        evaluation = _evaluate_model(bundle, data_set, radii_px=radii_px, resamples=resamples)
    elif predicted is not None and truth is not None and model is None and dataset is None:
        if split is not None or failures_folder is not None:
            raise UsageError("--split and --failures need images", remedy="give --model and --dataset too")
        evaluation = evaluate_files(
            predicted,
            truth,
            radii_px=radii_px,
            points_mpp=mpp,
            radius_mpp=RADIUS_MPP,
            resamples=resamples,
            classes=ClassNames.from_options(class_names),
            slide=None if slide_path is None else _annotated(slide_path, mpp, truth),
        )
    else:
        raise UsageError("give either PREDICTED and TRUTH (and perhaps --mpp), or --model and --dataset")
    _print(evaluation, intervals=resamples > 0)
    if json_path is not None:
        write_json(json_path, evaluation)
    if sweep_path is not None:
        write_sweep(sweep_path, evaluation)
    if figure_path is not None:
        write_figure(figure_path, evaluation.assessment, title=evaluation.title)
    if failures_folder is not None:
        from wsi_edt.evaluation.failures import write_failures

        write_failures(failures_folder, evaluation, count=worst)


def _annotated(slide_path: Path, mpp: float | None, truth: Path) -> AnnotatedSlide:
    from wsi_edt.annotations import AnnotatedSlide
    from wsi_edt.slides import open_slide

    if truth.is_dir():
        raise UsageError("--slide is one slide", remedy="give two files, not folders")
    with open_slide(slide_path, mpp) as slide:
        return AnnotatedSlide.of(slide)


def _evaluate_model(
    bundle: Bundle, data_set: SetSpec, *, radii_px: Sequence[float], resamples: int
) -> Evaluation:
    from wsi_edt.cluster.machine import this_machine
    from wsi_edt.detection.compute import ComputeOptions
    from wsi_edt.evaluation.model import evaluate_model

    compute = this_machine(ComputeOptions()).compute
    return evaluate_model(
        bundle, data_set, compute=compute, radii_px=radii_px, resamples=resamples, progress=_with_bar
    )


def _with_bar(images: Sequence[LabelledImage]) -> Iterable[LabelledImage]:
    """The images, with a bar if stderr is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(images, "images", console=console, transient=True, disable=not console.is_terminal)


def _print(evaluation: Evaluation, *, intervals: bool) -> None:
    from wsi_edt.evaluation.table import interval_note, metrics_table

    assessment = evaluation.assessment
    tables = [metrics_table(one, radius_mpp=assessment.radius_mpp) for one in assessment.metrics]
    note = interval_note(assessment.metrics[0], cases=evaluation.cases) if intervals else ""
    click.echo("\n\n".join([*tables, *filter(None, (evaluation.note, note))]))
