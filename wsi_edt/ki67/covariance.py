"""How alike the cells of a slide are by their distance, and how much an index varies for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

FloatArray = npt.NDArray[np.float64]

# Covariances that are tried: exp(-(r / scale) ** power), an exponential and a Gaussian one.
_SCALES = np.geomspace(0.24, 24, 40)  # in sides of a square: 0.03 to 3 mm
_POWERS = (1.0, 2.0)
_ENDED = 0.1  # of a covariance: what is left of it where its reach ends
_FARTHEST_SHARE = 0.2  # of all pairs of cells that are looked at: farther ones tell of the slide's outline
_FEWEST_LAGS = 6
# By how much a covariance must lower the misfit, in units of what is left of it per lag, to be more than chance: of
# independent cells nine in ten stay below 26, and of a hundred slides of clustered ones two at most below 30.
_LEAST_GAIN = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """Counts of the squares of a grid.

    Attributes
    ----------
    positive, counted : (rows, columns) float64, whole numbers: positive cells, and all that an index counts
    side_mm : of a square
    """

    positive: FloatArray
    counted: FloatArray
    side_mm: float

    def blocks(self, side: int) -> tuple[FloatArray, FloatArray]:
        """Positive and counted cells of each block of side × side squares that holds any: (B,), (B,) float64."""
        rows, columns = self.counted.shape
        margins = ((0, -rows % side), (0, -columns % side))
        sums = [
            np.pad(counts, margins)
            .reshape(-(-rows // side), side, -(-columns // side), side)
            .sum(axis=(1, 3))
            .ravel()
            for counts in (self.positive, self.counted)
        ]
        held = sums[1] > 0
        return sums[0][held], sums[1][held]


@dataclass(frozen=True, slots=True)
class Spread:
    """How an index varies between tissues like this one.

    Attributes
    ----------
    variance : of the share of positive cells
    reach_mm : the distance from which on cells tell nothing of each other; 0 if neighbours don't either
    """

    variance: float
    reach_mm: float


def fitted_spread(squares: Squares) -> Spread:
    """The spread of the share of positive cells, from a covariance that is fitted to how alike its squares are.

    Each cell has a residual, 1 or 0 less the share p; a square's e is their sum, and Var(p) = Var(sum of e) / T², T cells.
    The products e e' of pairs of squares, by distance r, tell E[e e'] / (n n') = c(r) - Var(p), n cells a square: p is
    taken from the same cells, and so the residuals add up to 0. An exponential and a Gaussian c(r), each with a height
    and a scale, are fitted by least squares, weighted by pairs of cells over r²; what is left of it squares' own variance
    keeps. Summing all products up to a distance is as right on average, but varies more; sums of e in blocks
    miss what crosses their edges, up to a third of the variance.

    Source: Cressie (1993), Statistics for Spatial Data, ch. 2.6, for fits by weighted least squares.
    """
    positive, counted = squares.positive, squares.counted
    total = counted.sum()
    products, pairs = _by_distance(positive - counted * (positive.sum() / total), counted)
    lags = max(int(np.searchsorted(np.cumsum(pairs) / total**2, _FARTHEST_SHARE)), _FEWEST_LAGS)
    lags = min(lags, len(pairs) - 1)
    distance = np.arange(1, lags + 1) * squares.side_mm
    between = pairs[1 : lags + 1]
    others = total**2 - pairs[0]
    wanted = products[1 : lags + 1] / np.maximum(between, 1) + products[0] / others
    weight = between / distance**2
    best, found = np.inf, Spread(float(products[0] / others), 0.0)
    scales = _SCALES * squares.side_mm
    for power in _POWERS:
        shape = np.exp(-((distance / scales[:, np.newaxis]) ** power))
        summed = shape @ between
        centred = shape - summed[:, np.newaxis] / others
        against = np.maximum((centred**2) @ weight, np.finfo(np.float64).tiny)
        height = np.maximum((centred * weight) @ wanted / against, 0)
        misfit = ((wanted - height[:, np.newaxis] * centred) ** 2) @ weight
        k = int(np.argmin(misfit))
        if misfit[k] < best:
            best, added = misfit[k], height[k] * summed[k]
            reach = float(scales[k] * np.log(1 / _ENDED) ** (1 / power))
            gain = (wanted**2 @ weight - best) * (lags - 2)
            is_alike = gain > _LEAST_GAIN * best
            found = Spread(float((products[0] + added) / others), reach if is_alike else 0.0)
    return found


def _by_distance(residuals: FloatArray, counted: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sums of residuals' and of counts' products over pairs of squares, each pair twice, by distance in sides, rounded.

    The correlation of a grid with itself is the inverse transform of its power; zeros around it keep edges apart.
    """
    rows, columns = counted.shape
    size = (fft.next_fast_len(2 * rows - 1, real=True), fft.next_fast_len(2 * columns - 1, real=True))
    down, right = (np.minimum(np.arange(n), n - np.arange(n)) for n in size)
    distance = np.rint(np.hypot(down[:, np.newaxis], right)).astype(np.int64).ravel()

    def summed(values: FloatArray) -> FloatArray:
        together = fft.irfft2(np.abs(fft.rfft2(values, size)) ** 2, size)
        return np.bincount(distance, together.ravel()).astype(np.float64)

    return summed(residuals), summed(counted)
