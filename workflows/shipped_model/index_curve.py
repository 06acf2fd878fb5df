"""The Ki-67 index of slides over the score threshold: as a table, CSV and a figure.

    python workflows/shipped_model/index_curve.py SLIDE [SLIDE …] [--model NAME] [--csv index.csv] [--figure index.svg]

Slides of one tissue on two scanners should have one index, and it should not hang on the threshold. The network runs once:
a threshold is a filter of the cells found at a lower one, before stitching as after it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import numpy as np
import numpy.typing as npt

from wsi_edt.bundles import DEFAULT_MODEL, Bundle, find_bundle
from wsi_edt.cells import CellClass
from wsi_edt.cli.decoding import GAIN
from wsi_edt.detection.compute import Compute, resolve_device
from wsi_edt.detection.detector import Detector
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.shards import detect_shard
from wsi_edt.detection.stitching import stitch
from wsi_edt.errors import WsiEdtError
from wsi_edt.evaluation.figure import write_panels
from wsi_edt.files import write_atomically
from wsi_edt.geometry import pixel_centers
from wsi_edt.maps import Evidence, Peaks
from wsi_edt.slides import SlideSource, TileGrid, shards, slide_tissue

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOWEST, HIGHEST, STEP = 0.08, 0.5, 0.01
TILE_PX = 512


@dataclass(frozen=True, slots=True, eq=False)
class IndexCurve:
    """A slide's counts over the threshold.

    Attributes
    ----------
    name : of the slide
    thresholds : (T,) float64, ascending
    positive, negative : (T,) int64, cells above each threshold
    """

    name: str
    thresholds: npt.NDArray[np.float64]
    positive: npt.NDArray[np.int64]
    negative: npt.NDArray[np.int64]

    @property
    def index_percent(self) -> npt.NDArray[np.float64]:
        """(T,) 100 × positive / (positive + negative); NaN without cells."""
        return np.where(self.total > 0, 100 * self.positive / np.maximum(self.total, 1), np.nan)

    @property
    def total(self) -> npt.NDArray[np.int64]:
        """(T,) all cells above each threshold."""
        return self.positive + self.negative

    @property
    def drawn_percent(self) -> npt.NDArray[np.float64]:
        """(T,) the index; NaN where fewer than a quarter of the cells are left, of which an index says little."""
        return np.where(self.total >= 0.25 * self.total[0], self.index_percent, np.nan)


def thresholds_from(lowest: float) -> npt.NDArray[np.float64]:
    """Thresholds from there to `HIGHEST`."""
    return np.round(np.arange(lowest, HIGHEST + STEP / 2, STEP), 6)


def index_curve(name: str, peaks: Peaks, thresholds: npt.NDArray[np.float64]) -> IndexCurve:
    """The counts of a slide's peaks above each threshold."""
    counts = []
    for class_id in (CellClass.POSITIVE, CellClass.NEGATIVE):
        scores = np.sort(peaks.score[peaks.class_id == class_id])
        counts.append(len(scores) - np.searchsorted(scores, thresholds.astype(np.float32), side="right"))
    return IndexCurve(name, thresholds, *counts)


def slide_peaks(path: Path, detector: Detector, bundle: Bundle, *, mpp: float | None) -> Peaks:
    """The peaks of a slide's tissue, as `wsi-edt run` finds them.

    Parameters
    ----------
    path : of the slide
    detector : at the lowest threshold
    bundle : the model
    mpp : µm/px of a slide that states none
    """
    source = SlideSource(path, mpp)
    with source.open() as slide:
        tissue, _ = slide_tissue(slide, model_mpp=bundle.model_mpp)
    grid = TileGrid(tissue.extent, TILE_PX, bundle.halo_px)
    parts = [
        detect_shard(
            shard,
            detector.detect,
            source=source,
            model_mpp=bundle.model_mpp,
            batch_size=1,
            readers=1,
        )
        for shard in shards(grid, tissue)
    ]
    settings = detector.settings
    peaks = stitch(
        TilePeaks.concatenate(parts), grid, radius_px=settings.radius_px, by_class=settings.is_separate
    )
    held = tissue.holds(pixel_centers(peaks.x), pixel_centers(peaks.y))
    return Peaks(peaks.x[held], peaks.y[held], peaks.score[held], peaks.class_id[held])


def curves_csv(curves: Sequence[IndexCurve]) -> bytes:
    """A row per slide and threshold."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(("slide", "threshold", "positive", "negative", "index_percent"))
    for curve in curves:
        rows = zip(curve.thresholds, curve.positive, curve.negative, curve.index_percent, strict=True)
        writer.writerows(
            (curve.name, f"{t:g}", p, n, "" if np.isnan(i) else f"{i:.3f}") for t, p, n, i in rows
        )
    return file.getvalue().encode()


def _draw_indices(curves: Sequence[IndexCurve], threshold: float, axes: Axes) -> None:
    for curve in curves:
        axes.plot(curve.thresholds, curve.drawn_percent, label=curve.name)
    axes.axvline(
        threshold, color="#999999", linestyle=":", linewidth=0.9, label=f"the model's, {threshold:g}"
    )
    axes.set_xlabel("score threshold")
    axes.set_ylabel("Ki-67 index, %")
    axes.set_ylim(bottom=0)
    axes.legend()
    axes.set_title("Ki-67 index")


def _draw_differences(curves: Sequence[IndexCurve], threshold: float, axes: Axes) -> None:
    first = curves[0]
    axes.axhspan(-1, 1, color="#e8f3ec", label="within 1 point")
    axes.axhline(0, color="#999999", linewidth=0.8)
    for number, curve in enumerate(curves[1:], start=1):
        axes.plot(
            first.thresholds, curve.drawn_percent - first.drawn_percent, color=f"C{number}", label=curve.name
        )
    axes.axvline(threshold, color="#999999", linestyle=":", linewidth=0.9)
    axes.set_xlabel("score threshold")
    axes.set_ylabel("points")
    axes.legend()
    axes.set_title(f"Difference from {first.name}")


def _draw_counts(curves: Sequence[IndexCurve], threshold: float, axes: Axes) -> None:
    for number, curve in enumerate(curves):
        axes.plot(curve.thresholds, curve.positive, color=f"C{number}", label=f"{curve.name}, positive")
        axes.plot(curve.thresholds, curve.negative, "--", color=f"C{number}", label="negative")
    axes.axvline(threshold, color="#999999", linestyle=":", linewidth=0.9)
    axes.set_yscale("log")
    axes.set_xlabel("score threshold")
    axes.set_ylabel("cells")
    axes.legend()
    axes.set_title("Cells")


def _print(curves: Sequence[IndexCurve], threshold: float) -> None:
    """Every fifth threshold, and the model's own."""
    thresholds = curves[0].thresholds
    own = int(np.argmin(np.abs(thresholds - threshold)))
    shown = sorted({*range(2, len(thresholds), 5), own})
    print(f"{'threshold':>9}  " + "  ".join(f"{curve.name:>24}" for curve in curves))
    for place in shown:
        cells = "  ".join(f"{f'{c.index_percent[place]:.2f} % of {c.total[place]}':>24}" for c in curves)
        print(f"{thresholds[place]:9.2f}  {cells}{'  the model has this one' if place == own else ''}")


@click.command()
@click.argument(
    "slides", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--mpp", type=float, help="µm/px of slides that state none.")
@click.option("--evidence", type=click.Choice(get_args(Evidence)), help="Instead of the model's own.")
@click.option("--window", "window_px", type=int, help="Instead of the model's own, px.")
@click.option("--negative-gain", type=GAIN, help="Instead of the model's own.")
@click.option("--lowest", default=LOWEST, show_default=True, help="The first threshold.")
@click.option("--threads", default=1, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--figure", type=click.Path(dir_okay=False, path_type=Path))
def main(
    slides: Sequence[Path],
    model: str,
    mpp: float | None,
    evidence: Evidence | None,
    window_px: int | None,
    negative_gain: float | None,
    lowest: float,
    threads: int,
    device: str,
    csv_path: Path | None,
    figure: Path | None,
) -> None:
    """Print the index of each slide over the threshold."""
    try:
        bundle = find_bundle(model)
        settings = bundle.decode.changed(
            evidence=evidence, window_px=window_px, threshold=lowest, negative_gain=negative_gain
        )
        compute = Compute(resolve_device(device), "torch", "fp32", threads)
        detector = Detector.load(bundle, settings=settings, compute=compute)
        curves = [
            index_curve(path.name, slide_peaks(path, detector, bundle, mpp=mpp), thresholds_from(lowest))
            for path in slides
        ]
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error
    threshold = bundle.decode.threshold
    gain = f"negative maps × {settings.negative_gain:g}"
    title = f"{bundle.name} {bundle.version}, {settings.evidence}, window {settings.window_px} px, {gain}"
    print(title)
    _print(curves, threshold)
    if csv_path is not None:
        write_atomically(csv_path, curves_csv(curves))
    if figure is not None:
        panels = [_draw_indices, _draw_counts] + ([_draw_differences] if len(curves) > 1 else [])
        write_panels(figure, [partial(panel, curves, threshold) for panel in panels], title=title)


if __name__ == "__main__":
    main()
