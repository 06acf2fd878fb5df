"""Random windows of labelled images, as requests for the tile loader. The n-th window depends on the seed and n alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsi_edt.geometry import Window
from wsi_edt.regions import Area, contains
from wsi_edt.slides import TileRequest
from wsi_edt.training.datasets import Labelled, LabelledImage

OVERHANG = 0.1  # of the crop: how far a window may reach beyond its image, where it is white
OFF_CENTRE = 0.4  # of the crop: how far from a window's centre the place may lie that it was drawn for
TRIES = 64  # at drawing a place in a region's box that lies in the region; one a tenth of its box fails once in 800

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WindowSampler:
    """Draws windows: first a set by its weight, then one of its images by its labelled area, a µm/px, and a place.

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
        areas = {
            name: np.array([_labelled_um2(image) for image in images]) for name, images in by_set.items()
        }
        names = list(by_set)
        shares = np.array([self.weights[name] for name in names], np.float64)
        number = first
        while True:
            rng = np.random.default_rng((self.seed, number))
            name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
            image = by_set[name][int(rng.choice(len(areas[name]), p=areas[name] / areas[name].sum()))]
            yield self._window(image, rng)
            number += 1

    def _window(self, image: LabelledImage, rng: np.random.Generator) -> TileRequest:
        reach = np.log1p(self.scale_jitter)
        mpp = self.model_mpp * float(np.exp(rng.uniform(-reach, reach)))
        factor = image.mpp / mpp
        if image.classes is Labelled.NEAR_POINTS and len(image.points):
            # Most of such an image teaches nothing: look where its points are.
            x, y = self._around(image.points[int(rng.integers(len(image.points)))] * factor, rng)
        elif image.region is not None:
            around = self._around(_place_in(image.region, rng) * factor, rng)
            left, top, right, bottom = (side * factor for side in image.region.bounds)
            x = self._held(around[0], left, right)
            y = self._held(around[1], top, bottom)
        else:
            height, width = (side * factor for side in image.pixels.shape[:2])
            overhang = OVERHANG * self.crop_px
            x, y = (
                rng.uniform(-overhang, side - self.crop_px + overhang)
                if side > self.crop_px
                else (side - self.crop_px) / 2
                for side in (width, height)
            )
        return TileRequest(image.path, Window(round(x), round(y), self.crop_px, self.crop_px), mpp)

    def _around(self, place: FloatArray, rng: np.random.Generator) -> tuple[float, float]:
        """The corner (x, y) of a window around a place, which lies somewhere in its inner part."""
        x, y = place - self.crop_px / 2 + rng.uniform(-OFF_CENTRE, OFF_CENTRE, 2) * self.crop_px
        return float(x), float(y)

    def _held(self, first: float, low: float, high: float) -> float:
        """A window's first px on one axis, moved so that it overhangs [low, high) little, or holds most of it."""
        ends = sorted((low, high - self.crop_px))
        overhang = OVERHANG * self.crop_px
        return min(max(first, ends[0] - overhang), ends[1] + overhang)


def _labelled_um2(image: LabelledImage) -> float:
    """The area in which labels hold."""
    height, width = image.pixels.shape[:2]
    return float(width * height if image.region is None else image.region.area) * image.mpp**2


def _place_in(region: Area, rng: np.random.Generator) -> FloatArray:
    """A random (x, y) in a region."""
    left, top, right, bottom = region.bounds
    places = rng.uniform((left, top), (right, bottom), (TRIES, 2))
    inside = contains(region, places[:, 0], places[:, 1])
    if inside.any():
        return np.asarray(places[int(np.argmax(inside))], dtype=np.float64)
    point = region.representative_point()
    return np.array([point.x, point.y], np.float64)
