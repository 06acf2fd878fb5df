"""Random windows of labelled images, as requests for the tile loader. The n-th window depends on the seed and n alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wsi_edt.geometry import Window
from wsi_edt.slides import TileRequest
from wsi_edt.training.datasets import Labelled, LabelledImage

OVERHANG = 0.1  # of the crop: how far a window may reach beyond its image, where it is white


@dataclass(frozen=True, slots=True)
class WindowSampler:
    """Draws windows: first a set by its weight, then one of its images, a µm/px, and a place.

    Attributes
    ----------
    images : all labelled images
    weights : how often each set is drawn, relative to the others
    model_mpp : µm/px that the network is meant for
    crop_px : side of the windows, px
    scale_jitter : the windows' µm/px are drawn from model_mpp / (1 + jitter) to model_mpp · (1 + jitter)
    seed : of all draws
    """

    images: Sequence[LabelledImage]
    weights: Mapping[str, float]
    model_mpp: float
    crop_px: int
    scale_jitter: float
    seed: int

    def requests(self, first: int = 0) -> Iterator[TileRequest]:
        """The windows from the `first`-th on, without end."""
        by_set = {name: [image for image in self.images if image.dataset == name] for name in self.weights}
        names = list(by_set)
        shares = np.array([self.weights[name] for name in names], np.float64)
        number = first
        while True:
            rng = np.random.default_rng((self.seed, number))
            images = by_set[names[int(rng.choice(len(names), p=shares / shares.sum()))]]
            yield self._window(images[int(rng.integers(len(images)))], rng)
            number += 1

    def _window(self, image: LabelledImage, rng: np.random.Generator) -> TileRequest:
        reach = np.log1p(self.scale_jitter)
        mpp = self.model_mpp * float(np.exp(rng.uniform(-reach, reach)))
        height, width = (side * image.mpp / mpp for side in image.pixels.shape[:2])
        if image.facts.classes is Labelled.NEAR_POINTS and len(image.points):
            # Most of such an image teaches nothing: look where its points are.
            centre = image.points[int(rng.integers(len(image.points)))] * (image.mpp / mpp)
            x, y = centre - self.crop_px / 2 + rng.uniform(-0.4, 0.4, 2) * self.crop_px
        else:
            overhang = OVERHANG * self.crop_px
            x, y = (
                rng.uniform(-overhang, side - self.crop_px + overhang)
                if side > self.crop_px
                else (side - self.crop_px) / 2
                for side in (width, height)
            )
        return TileRequest(image.path, Window(round(x), round(y), self.crop_px, self.crop_px), mpp)
