"""How well a network finds the cells of labelled images, scored as inference would find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from shapely.affinity import scale
from shapely.geometry import MultiPolygon, Polygon
from torch import nn

from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets import Labelled, LabelledImage
from wsi_edt.evaluation import DetectionScore, ImageScores, score_images
from wsi_edt.geometry import Window, pixel_centers
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.networks.hrnet import STRIDE
from wsi_edt.networks.normalisation import IMAGENET, normalised
from wsi_edt.qupath.regions import contains
from wsi_edt.slides import ImageSlide, read_window
from wsi_edt.training.config import evidence_of
from wsi_edt.training.targets import MAPS

RADIUS_PX = 10.0  # of a match, model px
WINDOW_PX = 11
# An EDT peak is one px wide: where the network is unsure of the px it says 0.2, early in a training less.
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)

FloatMaps = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PredictedImage:
    """A network's maps of a labelled image, and its points, in model px.

    Attributes
    ----------
    name, case : of the image
    maps : (C, H, W) float32; three are positive, negative and nucleus, two positive and negative, one nucleus
    truth : the annotated cells; beside positive and negative ones, those of neither class (NUCLEUS) are ignored in scoring
    region : in px of the maps, where the annotations hold; None: everywhere
    """

    name: str
    case: str
    maps: FloatMaps
    truth: Cells
    region: Polygon | MultiPolygon | None = None

    @property
    def map_names(self) -> tuple[str, ...]:
        """What each map is of: see `maps`."""
        return {1: MAPS[2:], 2: MAPS[:2], 3: MAPS}[len(self.maps)]

    def predicted(self, settings: DecodeSettings) -> Cells:
        """The cells that these maps hold, within the region."""
        cells = cells_of(decode(self.maps, settings))
        if self.region is None:
            return cells
        return cells.select(contains(self.region, cells.x, cells.y))


def cells_of(peaks: Peaks) -> Cells:
    """Peaks as cells at their pixels' centres."""
    return Cells(pixel_centers(peaks.x), pixel_centers(peaks.y), peaks.score, peaks.class_id)


def settings_for(names: tuple[str, ...], *, threshold: float = 0.15) -> DecodeSettings:
    """How maps of these names become cells before a model's own settings are chosen."""
    return DecodeSettings(names, evidence_of(names), WINDOW_PX, threshold)


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
        factor, region = image.mpp / mpp, image.region
        if region is not None:
            region = scale(region, factor, factor, origin=(0, 0))
        found.append(
            PredictedImage(
                image.path.name,
                image.case,
                maps[:, :height, :width].copy(),
                truth_of(image, mpp=mpp),
                region,
            )
        )
    return found


def truth_of(image: LabelledImage, *, mpp: float) -> Cells:
    """The annotated cells of an image in px of `mpp` µm."""
    x, y = (image.points * (image.mpp / mpp)).T
    return Cells(x.copy(), y.copy(), np.ones(len(x), np.float32), image.class_id)


def score(
    images: Sequence[PredictedImage],
    settings: DecodeSettings,
    *,
    radius_px: float = RADIUS_PX,
    nuclei: bool = False,
) -> ImageScores:
    """Precision, recall and F1 of the cells in the images, by class and together.

    Parameters
    ----------
    images : to score
    settings : how their maps become cells
    radius_px : the largest distance of a match
    nuclei : whether every annotated point is to be found, those of neither class too, as where no point has a class; a
        model without classes is always scored so
    """
    every_point = nuclei or "positive" not in settings.maps
    neither = [(image.truth.class_id == CellClass.NUCLEUS) & (not every_point) for image in images]
    pairs = [
        (image.predicted(settings), image.truth.select(~other))
        for image, other in zip(images, neither, strict=True)
    ]
    ignored = [
        np.column_stack([image.truth.x, image.truth.y])[other]
        for image, other in zip(images, neither, strict=True)
    ]
    return score_images(pairs, radius_px=radius_px, ignored=ignored)


@dataclass(frozen=True, slots=True)
class SetValidation:
    """How well the cells of one set's images are found.

    Attributes
    ----------
    name : of the set
    trusted : whether a missing point means that nothing is there, so that F1 is what it says
    scores : for each of `THRESHOLDS`
    """

    name: str
    trusted: bool
    scores: tuple[DetectionScore, ...]

    def __str__(self) -> str:
        parts = [
            f"{score.f1:.3f} at {threshold:g}"
            for score, threshold in zip(self.scores, THRESHOLDS, strict=True)
        ]
        return f"{self.name} F1 {', '.join(parts)}" + ("" if self.trusted else " (labels are partial)")


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validation says.

    Attributes
    ----------
    f1 : of all cells, at the best of `THRESHOLDS`, pooled over the sets whose labels are trusted (over all where none is)
    threshold : that one
    sets : each set for itself
    """

    f1: float
    threshold: float
    sets: tuple[SetValidation, ...]


def validate(
    network: nn.Module, images: Sequence[LabelledImage], *, mpp: float, names: tuple[str, ...]
) -> Validation:
    """How well the network, whose maps have these names, finds the cells of the images: set by set, and pooled."""
    by_set: dict[str, list[LabelledImage]] = {}
    for image in images:
        by_set.setdefault(image.dataset, []).append(image)
    sets = tuple(_validate_set(network, found, mpp=mpp, names=names) for found in by_set.values())
    pooled = [one for one in sets if one.trusted] or sets
    f1 = [
        sum((one.scores[number] for one in pooled), DetectionScore()).f1 for number in range(len(THRESHOLDS))
    ]
    best = int(np.argmax(f1))
    return Validation(f1[best], THRESHOLDS[best], sets)


def _validate_set(
    network: nn.Module, images: Sequence[LabelledImage], *, mpp: float, names: tuple[str, ...]
) -> SetValidation:
    # Where no image has classes, positive and negative maps can't be judged; a nucleus map can.
    nuclei = "nucleus" in names and all(image.classes is Labelled.NOWHERE for image in images)
    settings = settings_for(names)
    if nuclei:
        settings = replace(settings, evidence="nucleus")
    totals = [DetectionScore() for _ in THRESHOLDS]
    for image in images:
        predicted = predict(network, [image], mpp=mpp)  # one at a time: maps of thousands wouldn't fit
        for number, threshold in enumerate(THRESHOLDS):
            found = score(predicted, replace(settings, threshold=threshold), nuclei=nuclei)
            totals[number] += found.all
    by_extent = {image.nuclei if settings.evidence == "nucleus" else image.classes for image in images}
    return SetValidation(images[0].dataset, by_extent == {Labelled.EVERYWHERE}, tuple(totals))
