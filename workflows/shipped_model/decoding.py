"""The ways from a model's maps to positive and negative cells, and test-time averaging over flips: accuracy and cost.

    python workflows/shipped_model/decoding.py --dataset FORMAT FOLDER [--split validation] [--model NAME]

The ways: CCLS on each class's map for itself; on their maximum; on their sum; on the nucleus map. Each with a window of 11
and of 21 px, at its best threshold as `wsi-edt bundle` would choose it on these images. Averaging: the mean of the maps of
the image and of its flips, each flipped back. Seconds are the process's own, so that they compare on a busy machine.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from wsi_edt.bundles import DEFAULT_MODEL, find_bundle
from wsi_edt.cells import Cells
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.detection.compute import Compute
from wsi_edt.detection.detector import Detector
from wsi_edt.detection.runtimes.runtime import MapRunner
from wsi_edt.evaluation import CLASSES
from wsi_edt.evaluation.predictions import PredictedImage, Predictor
from wsi_edt.evaluation.selection import (
    THRESHOLDS,
    WINDOWS_PX,
    ThresholdCounts,
    best_place,
    threshold_counts,
)
from wsi_edt.maps import DecodeSettings, Evidence

Way = Callable[[PredictedImage], Cells]

ROWS, COLUMNS = -2, -1  # of a batch of maps
FLIPS: dict[str, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "left-right": ((), (COLUMNS,)),
    "both axes": ((), (COLUMNS,), (ROWS,), (ROWS, COLUMNS)),
}
METRICS = ("threshold", "F1 at 10 px", "at 5 px", "positive", "negative", "index error", "index bias")


class Averaged:
    """Makes maps that are the mean over flips of the images, each flipped back."""

    def __init__(self, runner: MapRunner, flips: Sequence[tuple[int, ...]]) -> None:
        self.runner, self.flips = runner, tuple(flips)

    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(B, H, W, 3) uint8 → (B, C, H, W) float32."""
        total = np.zeros((), np.float32)
        for flip in self.flips:
            # The channels come last in images, so rows and columns are one axis earlier.
            flipped = np.flip(images, tuple(axis - 1 for axis in flip))
            total = total + np.flip(self.runner.maps(np.ascontiguousarray(flipped)), flip)
        return np.asarray(total / np.float32(len(self.flips)), np.float32)


def ways(names: tuple[str, ...]) -> dict[tuple[str, int], Way]:
    """Each way and window for which a model has the maps."""
    found: dict[tuple[str, int], Way] = {}
    evidences: tuple[Evidence, ...] = ("separate", "max", "sum") if "positive" in names else ()
    evidences += ("nucleus",) if "nucleus" in names else ()
    for evidence, window_px in itertools.product(evidences, WINDOWS_PX):
        settings = DecodeSettings(names, evidence, window_px, THRESHOLDS[0])
        found[evidence, window_px] = partial(PredictedImage.predicted, settings=settings)
    return found


def header(*columns: str) -> str:
    """A table's head: these columns, then `METRICS`."""
    names = (*columns, *METRICS)
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"


def row(table: ThresholdCounts) -> str:
    """The metrics at the best threshold."""
    place = best_place(table)
    at_10, at_5 = (one.at(place) for one in table.statistics())
    positive, negative = (at_10.f1[CLASSES.index(name)] for name in ("positive", "negative"))
    return (
        f"{THRESHOLDS[place]:.2f} | {at_10.f1[0]:.3f} | {at_5.f1[0]:.3f} | {positive:.3f} | {negative:.3f} | "
        f"{at_10.index_mae:.2f} | {at_10.index_bias:+.2f} |"
    )


@click.command()
@click.option(
    "--dataset",
    required=True,
    type=(str, click.Path(exists=True, file_okay=False, path_type=Path)),
    metavar="FORMAT FOLDER",
)
@click.option("--split", default="validation", show_default=True)
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--threads", default=1, show_default=True)
def main(dataset: tuple[str, Path], split: str, model: str, threads: int) -> None:
    """Print the tables."""
    name, folder = dataset
    images = read_set(SetSpec(name=name, folder=folder.absolute(), split=split), Path())
    bundle = find_bundle(model)
    compute = Compute("cpu", "torch", "fp32", threads)
    detector = Detector.load(bundle, settings=bundle.decode, compute=compute)

    def predicted(runner: MapRunner) -> list[PredictedImage]:
        predictor = Predictor(runner, bundle.model_mpp, bundle.decode.maps, bundle.network.stride)
        return [predictor.predict(image) for image in images]

    print(f"{bundle.name} {bundle.version} on {name} {split}, {len(images)} images; index in points\n")
    print(header("way", "window"))
    found = predicted(detector)
    for (way, window_px), cells_of_image in ways(bundle.decode.maps).items():
        print(f"| {way} | {window_px} | {row(threshold_counts(found, cells_of_image))}", flush=True)
    own = bundle.decode.evidence, bundle.decode.window_px
    print(f"\n{own[0]}, window {own[1]}:\n\n{header('flips', 'passes', 'seconds')}")
    for flips, axes in FLIPS.items():
        begun = time.process_time()
        found = predicted(Averaged(detector, axes))
        seconds = time.process_time() - begun
        cells_of_image = ways(bundle.decode.maps)[own]
        print(
            f"| {flips} | {len(axes)} | {seconds:.1f} | {row(threshold_counts(found, cells_of_image))}",
            flush=True,
        )


if __name__ == "__main__":
    main()
