"""What the measures of a slide's quality see, and what the network loses, as real tissue is blurred, bleached and browned.

    python workflows/benchmarks/quality_curve.py --data DATA [--figure quality.png] [--images 4] [--no-network]

DATA holds the sets as they are distributed (bcdata, shidc, glioma, immunoratio, gepnet) and slides/. Prints a table with a
row per change and set: how wide edges are and which share of the fields is flagged, and what the network still finds.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cv2
import numpy as np
import numpy.typing as npt
from measuring import machine, table
from PIL import Image

from wsi_edt.bundles import DEFAULT_MODEL, find_bundle
from wsi_edt.datasets import ImageArray, LabelledImage, SetSpec, read_set
from wsi_edt.detection.compute import ComputeOptions, resolve_compute
from wsi_edt.detection.detector import Detector
from wsi_edt.evaluation.figure import Panel, check_figure_path, write_panels
from wsi_edt.evaluation.predictions import Predictor, prediction_metrics
from wsi_edt.geometry import Window
from wsi_edt.maps import DecodeSettings
from wsi_edt.slides import ImageSlide, open_slide, slide_tissue
from wsi_edt.slides.quality.background import LIMIT as BROWN_LIMIT
from wsi_edt.slides.quality.background import background_dab
from wsi_edt.slides.quality.counterstain import LIMIT as PALE_LIMIT
from wsi_edt.slides.quality.counterstain import counterstain_contrast
from wsi_edt.slides.quality.fields import light_of, sample_fields
from wsi_edt.slides.quality.focus import OUT_OF_FOCUS_UM, edge_width_um
from wsi_edt.slides.quality.measure import QualityFacts
from wsi_edt.slides.quality.stains import DAB
from wsi_edt.slides.tissue import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SETS = {
    "bcdata": "validation",  # none of these four was trained on
    "immunoratio": "train",
    "glioma": "train",
    "shidc": "validation",
    "gepnet": "train",
}
SLIDES = ("ki67-scanner-a.tif", "ki67-scanner-b.ome.tif", "he-scanner-a.ome.tif", "CMU-1-Small-Region.svs")
JPEG_QUALITY = 80
HEAD = (
    "change",
    "amount",
    "set",
    "fields",
    "edge, µm",
    "out of focus",
    "contrast",
    "DAB",
    "F1",
    "recall",
    "+",
    "−",
)
UNKNOWN = float("nan")
HIGHEST_DRAWN = 0.6  # black nuclei whose brown doesn't show have contrasts far above what matters


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is done to pictures, in growing amounts, of which the first does nothing.

    Attributes
    ----------
    name : with the unit of the amounts
    apply : pixels (H, W, 3) uint8, µm/px, the light's colour (3,), amount → pixels
    """

    name: str
    apply: Callable[[ImageArray, float, FloatArray, float], ImageArray]
    amounts: tuple[float, ...]


def blurred(pixels: ImageArray, mpp: float, light: FloatArray, sigma_um: float) -> ImageArray:
    """Blurred by a Gaussian of that σ."""
    return (
        np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma_um / mpp), dtype=np.uint8) if sigma_um else pixels
    )


def paler(pixels: ImageArray, mpp: float, light: FloatArray, factor: float) -> ImageArray:
    """With all densities times a factor."""
    return _rounded(light * (np.maximum(pixels, 1) / light) ** factor)


def browner(pixels: ImageArray, mpp: float, light: FloatArray, density: float) -> ImageArray:
    """With that much DAB everywhere."""
    return _rounded(pixels * 10 ** (-density * np.array(DAB)))


def _rounded(pixels: npt.NDArray[np.floating]) -> ImageArray:
    return np.asarray(np.clip(pixels, 0, 255).round(), dtype=np.uint8)


BLUR = Change("blur, σ in µm", blurred, (0.0, 0.5, 1.0, 1.5, 2.0, 3.0))
PALE = Change("density ×", paler, (1.0, 0.8, 0.6, 0.4, 0.3, 0.2))
BROWN = Change("DAB added", browner, (0.0, 0.1, 0.2, 0.3, 0.4))


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """What became of a set's pictures under one amount of a change.

    Attributes
    ----------
    widths_um : of the edges of each field that has some
    contrast, dab : medians over the pictures
    f1, recall, positive, negative : of the network; the last two are recalls. NaN if it didn't run
    """

    change: Change
    amount: float
    name: str
    widths_um: tuple[float, ...]
    contrast: float
    dab: float
    f1: float = UNKNOWN
    recall: float = UNKNOWN
    positive: float = UNKNOWN
    negative: float = UNKNOWN

    @property
    def out_of_focus(self) -> float:
        """The share of the fields with edges that are out of focus."""
        return (
            float(np.mean([width > OUT_OF_FOCUS_UM for width in self.widths_um]))
            if self.widths_um
            else UNKNOWN
        )

    def cells(self) -> list[str]:
        """The row of the table."""
        width = f"{np.median(self.widths_um):.2f}" if self.widths_um else "–"
        figures = (self.f1, self.recall, self.positive, self.negative)
        return [
            self.change.name,
            f"{self.amount:g}",
            self.name,
            str(len(self.widths_um)),
            width,
            f"{self.out_of_focus:.0%}",
            f"{self.contrast:.3f}",
            f"{self.dab:.3f}",
            *("" if np.isnan(figure) else f"{figure:.2f}" for figure in figures),
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The network, and how its maps become cells."""

    predictor: Predictor
    settings: DecodeSettings


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture as it was found, with its points if it has some."""

    pixels: ImageArray
    mpp: float
    labelled: LabelledImage | None = None

    def light(self) -> FloatArray:
        """The colour of its glass, as far as it shows."""
        return _facts(self.pixels, self.mpp).light

    def changed(self, change: Change, amount: float) -> ImageArray:
        """Its pixels with the change, encoded again; as they are if the change does nothing."""
        if amount == change.amounts[0]:
            return self.pixels
        file = io.BytesIO()
        pixels = change.apply(self.pixels, self.mpp, self.light(), amount)
        Image.fromarray(pixels).save(file, format="JPEG", quality=JPEG_QUALITY)
        return np.asarray(Image.open(file))


def _facts(pixels: ImageArray, mpp: float) -> QualityFacts:
    slide = ImageSlide(Path("picture"), pixels, mpp)
    tissue, overview = slide_tissue(slide, model_mpp=0.3125)
    fields, field_mpp = sample_fields(slide, tissue)
    return QualityFacts(
        tissue, overview, light_of(overview, tissue, fields), fields, field_mpp, zero_share=0.0
    )


def point(
    name: str, pictures: Sequence[Picture], change: Change, amount: float, network: Network | None
) -> Point:
    """What the measures see in a set's pictures, and what the network finds."""
    widths, contrasts, dabs, changed = [], [], [], []
    for picture in pictures:
        pixels = picture.changed(change, amount)
        # A slide shows its glass, most pictures don't: the light is that of the picture before it was changed.
        facts = replace(_facts(pixels, picture.mpp), light=picture.light())
        widths += [edge_width_um(field, mpp=facts.field_mpp) for field in facts.fields]
        contrasts.append(counterstain_contrast(facts))
        dabs.append(background_dab(facts))
        if picture.labelled is not None:
            changed.append(replace(picture.labelled, pixels=pixels))
    found = Point(
        change,
        amount,
        name,
        tuple(width for width in widths if width is not None),
        _median(contrasts),
        _median(dabs),
    )
    return found if network is None or not changed else _with_network(found, network, changed)


def _with_network(found: Point, network: Network, images: Sequence[LabelledImage]) -> Point:
    by_class = prediction_metrics(
        [network.predictor.predict(image) for image in images],
        network.settings,
        nuclei=found.name == "gepnet",  # its classes aren't a pathologist's
    ).by_class
    return replace(
        found,
        f1=by_class["all"].f1,
        recall=by_class["all"].recall,
        positive=by_class["positive"].recall if "positive" in by_class else UNKNOWN,
        negative=by_class["negative"].recall if "negative" in by_class else UNKNOWN,
    )


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else UNKNOWN


def pictures_of(data: Path, images: int) -> Iterator[tuple[str, list[Picture]]]:
    """The pictures of each set, at most so many, and each slide."""
    for name, split in SETS.items():
        found = read_set(SetSpec(name=name, split=split), data)
        chosen = [
            found[i] for i in np.linspace(0, len(found) - 1, min(images, len(found))).round().astype(int)
        ]
        yield name, [Picture(image.pixels, image.image_mpp, image) for image in chosen]
    for name in SLIDES:
        with open_slide(data / "slides" / name) as slide:
            pixels = slide.read_level(0, Window(0, 0, *slide.dimensions))
            yield name.split(".")[0], [Picture(pixels, slide.mpp or 0.25)]


def _lines(points: Sequence[Point], change: Change, value: Callable[[Point], float], axes: Axes) -> None:
    for name in dict.fromkeys(one.name for one in points):
        own = [one for one in points if one.name == name and one.change is change]
        if not all(np.isnan(value(one)) for one in own):
            axes.plot([one.amount for one in own], [value(one) for one in own], marker=".", label=name)
    axes.set_xlabel(change.name)


def _measure_panel(
    points: Sequence[Point],
    change: Change,
    value: Callable[[Point], float],
    limit: float,
    title: str,
    axes: Axes,
) -> None:
    _lines(points, change, value, axes)
    axes.axhline(limit, color="#999999", linestyle=":", label=f"limit, {limit:g}")
    axes.set_ylim(bottom=0)
    axes.set_title(title)
    axes.legend(fontsize=5.5)


def _recall_panel(points: Sequence[Point], change: Change, axes: Axes) -> None:
    _lines(points, change, lambda one: one.recall, axes)
    axes.set_ylim(0, 1)
    axes.set_title("The network's recall")
    axes.legend(fontsize=5.5)


def _edge_um(one: Point) -> float:
    return float(np.median(one.widths_um)) if one.widths_um else UNKNOWN


def draw(path: Path, points: Sequence[Point]) -> None:
    """Each measure above what the network loses."""
    measures = (
        (BLUR, _edge_um, OUT_OF_FOCUS_UM, "Width of edges, µm"),
        (PALE, lambda one: min(one.contrast, HIGHEST_DRAWN), PALE_LIMIT, "Contrast of the counterstain"),
        (BROWN, lambda one: one.dab, BROWN_LIMIT, "DAB between nuclei"),
    )
    panels: list[Panel] = [partial(_measure_panel, points, *measure) for measure in measures]
    if not all(np.isnan(one.recall) for one in points):
        panels += [partial(_recall_panel, points, change) for change in (BLUR, PALE, BROWN)]
    write_panels(path, panels, title="Measures of quality on real tissue that was changed")


def _network(model: str) -> Network:
    bundle = find_bundle(model)
    compute = resolve_compute(ComputeOptions(), cores=2)
    detector = Detector.load(bundle, settings=bundle.decode, compute=compute)
    predictor = Predictor(detector, bundle.model_mpp, bundle.decode.maps, bundle.network.stride)
    return Network(predictor, bundle.decode)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--figure", type=click.Path(dir_okay=False, path_type=Path), help="Draw it: .png, .svg or .pdf."
)
@click.option("--images", default=4, show_default=True, help="At most so many of each set.")
@click.option("--network/--no-network", default=True, show_default=True)
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
def main(data: Path, figure: Path | None, images: int, network: bool, model: str) -> None:
    """Print what the measures see and what the network loses."""
    if figure is not None:
        check_figure_path(figure)
    scored = _network(model) if network else None
    points = [
        point(name, pictures, change, amount, scored)
        for name, pictures in pictures_of(data, images)
        for change in (BLUR, PALE, BROWN)
        for amount in change.amounts
    ]
    points.sort(key=lambda one: (BLUR, PALE, BROWN).index(one.change))
    print(machine())
    print(table(HEAD, [one.cells() for one in points]))
    if figure is not None:
        draw(figure, points)


if __name__ == "__main__":
    main()
