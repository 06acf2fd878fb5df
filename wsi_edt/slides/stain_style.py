"""A stain in six numbers, and whether it is like those that a model has met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.slides.protocol import RgbArray

STYLE_MPP = 2.0  # a density's spread depends on the px that it is taken of
TISSUE_DENSITY = 0.25  # a px is tissue if the sum of the three colours' natural optical densities is higher
LEAST_TISSUE = 0.01  # of the px; with less there is no style
# Variance of the logarithms that is added to that of the pictures: a few pictures of a laboratory look more alike than its
# slides do, and training varies them by about this.
OWN_VARIANCE = 0.02
FEWEST_PICTURES = 3
DIGITS = 5

StyleArray = npt.NDArray[np.float64]


def stain_style(pictures: Sequence[RgbArray], *, mpp: float) -> StyleArray | None:
    """The logarithms of the mean and of the spread of each colour's optical density over tissue: (6,).

    Parameters
    ----------
    pictures : of one slide, each (H, W, 3) uint8 RGB
    mpp : their µm/px

    Returns
    -------
    (6,) means of red, green and blue, then spreads; None if the pictures show hardly any tissue
    """
    pixels = [at_style_mpp(picture, mpp).reshape(-1, 3) for picture in pictures]
    if not pixels:
        return None
    density = -np.log((np.concatenate(pixels).astype(np.float64) + 1) / 256)
    tissue = density[density.sum(axis=1) > TISSUE_DENSITY]
    if len(tissue) <= LEAST_TISSUE * len(density):
        return None
    numbers = np.concatenate([tissue.mean(axis=0), tissue.std(axis=0)])
    style: StyleArray = np.log(np.maximum(numbers, 1e-3))
    return style


def at_style_mpp(picture: RgbArray, mpp: float) -> RgbArray:
    """A picture (H, W, 3) of `mpp` µm/px as it is looked at for its style: px of `STYLE_MPP`."""
    height, width = (max(1, round(side * mpp / STYLE_MPP)) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class KnownStains:
    """The stains of a model's training pictures, as one normal distribution of their styles.

    Attributes
    ----------
    pictures : how many they were
    mean : (6,)
    covariance : (6, 6), of the pictures and `OWN_VARIANCE`
    """

    pictures: int
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, styles: Sequence[StyleArray]) -> Self | None:
        """The stains of pictures with these styles; None if they are too few to tell anything."""
        if len(styles) < FEWEST_PICTURES:
            return None
        values = np.stack(styles)
        covariance = np.cov(values.T, bias=True) + OWN_VARIANCE * np.eye(values.shape[1])
        return cls._rounded(len(values), values.mean(axis=0), covariance)

    @classmethod
    def _rounded(cls, pictures: int, mean: StyleArray, covariance: StyleArray) -> Self:
        rows = tuple(tuple(row) for row in covariance.round(DIGITS).tolist())
        return cls(pictures, tuple(mean.round(DIGITS).tolist()), rows)

    def and_those(self, others: Self) -> Self:
        """The stains of these pictures and of others."""
        pictures = self.pictures + others.pictures
        means = np.array([self.mean, others.mean])
        shares = np.array([self.pictures, others.pictures]) / pictures
        mean = shares @ means
        within = np.tensordot(shares, np.array([self.covariance, others.covariance]), 1)
        between = (means - mean).T @ (shares[:, None] * (means - mean))
        return self._rounded(pictures, mean, within + between)

    def distance(self, style: StyleArray) -> float:
        """The Mahalanobis distance of a style (6,): how many standard deviations it lies from what is known."""
        difference = style - np.array(self.mean)
        return float(np.sqrt(difference @ np.linalg.solve(np.array(self.covariance), difference)))
