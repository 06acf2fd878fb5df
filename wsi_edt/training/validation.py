"""How well a network finds the cells of labelled images, scored as inference would find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from wsi_edt.cells import CellClass, Cells
from wsi_edt.evaluation import ImageScores, score_images
from wsi_edt.geometry import Window, pixel_centers
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.networks.hrnet import STRIDE
from wsi_edt.networks.normalisation import IMAGENET, normalised
from wsi_edt.slides import ImageSlide, read_window
from wsi_edt.training.datasets import LabelledImage
from wsi_edt.training.targets import MAPS

RADIUS_PX = 10.0  # of a match, model px
VALIDATION_DECODE = DecodeSettings(maps=MAPS, evidence="sum", window_px=11, threshold=0.15)
# An EDT peak is one px wide: where the network is unsure of the px it says 0.2, early in a training less.
THRESHOLDS = (0.1, 0.15, 0.2, 0.3)

FloatMaps = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PredictedImage:
    """A network's maps of a labelled image, and its points, in model px.

    Attributes
    ----------
    name : of the image
    maps : (3, H, W) float32 in the order of `MAPS`
    truth : the annotated cells; those of neither class (NUCLEUS) are ignored in scoring
    """

    name: str
    maps: FloatMaps
    truth: Cells

    def predicted(self, settings: DecodeSettings) -> Cells:
        """The cells that these maps hold."""
        return cells_of(decode(self.maps, settings))


def cells_of(peaks: Peaks) -> Cells:
    """Peaks as cells at their pixels' centres."""
    return Cells(pixel_centers(peaks.x), pixel_centers(peaks.y), peaks.score, peaks.class_id)


@torch.inference_mode()
def predict(network: nn.Module, images: Sequence[LabelledImage], *, mpp: float) -> list[PredictedImage]:
    """The network's maps of whole images, each brought to `mpp` and padded with white to a multiple of 32."""
    device = next(network.parameters()).device
    found = []
    for image in images:
        height, width = (round(side * image.mpp / mpp) for side in image.pixels.shape[:2])
        window = Window(0, 0, -(-width // STRIDE) * STRIDE, -(-height // STRIDE) * STRIDE)
        pixels = read_window(ImageSlide(image.path, image.pixels, image.mpp), window, mpp=mpp)
        maps = network(normalised(torch.from_numpy(pixels[None]).to(device), IMAGENET))[0].cpu().numpy()
        x, y = (image.points * (image.mpp / mpp)).T
        truth = Cells(x.copy(), y.copy(), np.ones(len(x), np.float32), image.class_id)
        found.append(PredictedImage(image.path.name, maps[:, :height, :width].copy(), truth))
    return found


def score(
    images: Sequence[PredictedImage], settings: DecodeSettings, *, radius_px: float = RADIUS_PX
) -> ImageScores:
    """Precision, recall and F1 of the cells in the images, by class and together."""
    neither = [image.truth.class_id == CellClass.NUCLEUS for image in images]
    pairs = [
        (image.predicted(settings), image.truth.select(~other))
        for image, other in zip(images, neither, strict=True)
    ]
    ignored = [
        np.column_stack([image.truth.x, image.truth.y])[other]
        for image, other in zip(images, neither, strict=True)
    ]
    return score_images(pairs, radius_px=radius_px, ignored=ignored)


def validate(network: nn.Module, images: Sequence[LabelledImage], *, mpp: float) -> str:
    """A line of scores, set by set, at a few thresholds."""
    lines = []
    for dataset in dict.fromkeys(image.dataset for image in images):
        predictions = predict(network, [image for image in images if image.dataset == dataset], mpp=mpp)
        found = [
            f"{score(predictions, replace(VALIDATION_DECODE, threshold=threshold)).all.f1:.3f} at {threshold}"
            for threshold in THRESHOLDS
        ]
        lines.append(f"{dataset} F1 {', '.join(found)}")
    return "; ".join(lines)
