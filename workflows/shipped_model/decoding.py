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
import torch
from torch import Tensor, nn

from wsi_edt.bundles import DEFAULT_MODEL, find_bundle, load_network
from wsi_edt.cells import Cells
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.evaluation import CLASSES
from wsi_edt.maps import DecodeSettings
from wsi_edt.training.selection import (
    THRESHOLDS,
    WINDOWS_PX,
    ThresholdCounts,
    best_place,
    evidences_with,
    separate_cells,
    threshold_counts,
)
from wsi_edt.training.validation import PredictedImage, predict

Way = Callable[[PredictedImage], Cells]

ROWS, COLUMNS = -2, -1  # of a batch of images
FLIPS: dict[str, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "left-right": ((), (COLUMNS,)),
    "both axes": ((), (COLUMNS,), (ROWS,), (ROWS, COLUMNS)),
}
SCORES = ("threshold", "F1 at 10 px", "at 5 px", "positive", "negative", "index error", "index bias")


class Averaged(nn.Module):
    """A network whose maps are the mean over flips of its input."""

    def __init__(self, network: nn.Module, flips: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.network = network
        self.flips = tuple(flips)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, C, H, W)."""
        maps = [self.network(images.flip(flip)).flip(flip) for flip in self.flips]
        return torch.stack(maps).mean(dim=0)


def ways(names: tuple[str, ...]) -> dict[tuple[str, int], Way]:
    """Each way and window, as far as a model has the maps for it."""
    found: dict[tuple[str, int], Way] = {}
    if "positive" in names:
        for window_px in WINDOWS_PX:
            found["separate", window_px] = partial(separate_cells, window_px=window_px)
    for evidence, window_px in itertools.product(evidences_with(names), WINDOWS_PX):
        settings = DecodeSettings(names, evidence, window_px, THRESHOLDS[0])
        found[evidence, window_px] = partial(PredictedImage.predicted, settings=settings)
    return found


def header(*columns: str) -> str:
    """A table's head: these columns, then `SCORES`."""
    names = (*columns, *SCORES)
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"


def row(table: ThresholdCounts) -> str:
    """The scores at the best threshold."""
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
    torch.set_num_threads(threads)
    name, folder = dataset
    images = read_set(SetSpec(name=name, folder=folder.absolute(), split=split), Path())
    bundle = find_bundle(model)
    network = load_network(bundle)
    print(f"{bundle.name} {bundle.version} on {name} {split}, {len(images)} images; index in points\n")
    print(header("way", "window"))
    predicted = predict(network, images, mpp=bundle.mpp)
    for (way, window_px), cells_of_image in ways(bundle.decode.maps).items():
        print(f"| {way} | {window_px} | {row(threshold_counts(predicted, cells_of_image))}", flush=True)
    own = bundle.decode.evidence, bundle.decode.window_px
    print(f"\n{own[0]}, window {own[1]}:\n\n{header('flips', 'passes', 'seconds')}")
    for flips, axes in FLIPS.items():
        begun = time.process_time()
        predicted = predict(Averaged(network, axes), images, mpp=bundle.mpp)
        seconds = time.process_time() - begun
        cells_of_image = ways(bundle.decode.maps)[own]
        print(
            f"| {flips} | {len(axes)} | {seconds:.1f} | {row(threshold_counts(predicted, cells_of_image))}",
            flush=True,
        )


if __name__ == "__main__":
    main()
