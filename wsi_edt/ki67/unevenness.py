"""How much the indices of hexagons differ: their spread, their entropy, and whether they have two peaks.

All are made from sums over hexagons, so that they can be made for resampled blocks of them too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from wsi_edt.geometry import FloatArray

IntArray = npt.NDArray[np.int64]

CLASSES = 20  # of the index, 5 points each: a hexagon's index is known about as well
BIMODALITY_ABOVE = 5 / 9  # of an even distribution; two peaks lie above it (Pfister et al., 2013)


def features(positive: IntArray, total: IntArray) -> FloatArray:
    """What the sums are made of: (H, 8 + CLASSES), of hexagons with at least two cells.

    One; the index less 0.5, and its square; the variance that counting gives the index; the log odds of the index with
    their powers up to the fourth; for each class of the index whether it lies there.
    """
    share = positive / total
    odds = np.log((positive + 0.5) / (total - positive + 0.5))
    in_class = np.minimum(CLASSES * positive // total, CLASSES - 1)
    columns = np.zeros((len(total), _FIRST_CLASS + CLASSES))
    columns[:, :3] = (share - 0.5)[:, np.newaxis] ** np.arange(3)
    columns[:, 3] = share * (1 - share) / (total - 1)  # unbiased for p (1 − p) / n
    columns[:, 4:_FIRST_CLASS] = odds[:, np.newaxis] ** np.arange(1, 5)
    columns[np.arange(len(total)), _FIRST_CLASS + in_class] = 1
    return columns


_FIRST_CLASS = 8


def spread(sums: FloatArray) -> FloatArray:
    """The standard deviation of the index from hexagon to hexagon without what counting adds, points: (..., K) → (...)."""
    observed, counting = _variances(sums)
    return np.asarray(100 * np.sqrt(np.maximum(observed - counting, 0)))


def differ(sums: FloatArray) -> bool:
    """Whether the indices' variance is at least twice of what counting gives it: below, their shape is that of chance."""
    observed, counting = _variances(sums)
    return bool(observed >= 2 * counting)


def _variances(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The indices' variance, and the mean of those that counting gives them."""
    n = sums[..., 0]
    observed = (sums[..., 2] - sums[..., 1] ** 2 / n) / (n - 1)
    return observed, sums[..., 3] / n


def entropy(sums: FloatArray) -> FloatArray:
    """The entropy of the indices' classes, bits, with Miller and Madow's correction (1955): (..., K) → (...)."""
    in_class = sums[..., _FIRST_CLASS:]
    n = in_class.sum(axis=-1)
    share = in_class / n[..., np.newaxis]
    return np.asarray(_bits(share) + (np.count_nonzero(in_class, axis=-1) - 1) / (2 * n * np.log(2)))


def entropy_if_even(positive: IntArray, total: IntArray) -> float:
    """The entropy, bits, if all these hexagons (H,) had the index of all their cells, and their cells fell by chance."""
    share = positive.sum() / total.sum()
    # Cells that lie just below each class's end; the last class has no end.
    below = -(-total[:, np.newaxis] * np.arange(1, CLASSES) // CLASSES) - 1
    up_to = bdtr(below, total[:, np.newaxis], share).mean(axis=0)
    return float(_bits(np.diff(up_to, prepend=0.0, append=1.0)))


def bimodality(sums: FloatArray) -> FloatArray:
    """Sarle's coefficient of the indices' log odds, for finite samples: (..., K) → (...) in [0, 1]; 1 if all are alike.

    (g² + 1) / (k + 3 (n − 1)² / ((n − 2) (n − 3))), g and k the sample's skewness and excess kurtosis without bias, as SAS
    defines it and Pfister et al. (2013) explain it. It is high for two peaks, and for one that is very skewed, as small
    indices are: their log odds aren't (workflows/benchmarks/heterogeneity.py).
    """
    n = sums[..., 0]
    m1, m2, m3, m4 = (sums[..., column] / n for column in range(4, _FIRST_CLASS))
    variance = m2 - m1**2
    third = m3 - 3 * m1 * m2 + 2 * m1**3
    fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    flat = variance <= 1e-9
    variance = np.where(flat, 1, variance)
    skewness = third / variance**1.5 * np.sqrt(n * (n - 1)) / (n - 2)
    kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (fourth / variance**2 - 3) + 6)
    found = (skewness**2 + 1) / (kurtosis + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))
    return np.asarray(np.where(flat, 1.0, found))


def _bits(share: FloatArray) -> FloatArray:
    """−Σ p log₂ p over the last axis."""
    return np.asarray(-(share * np.log2(np.where(share > 0, share, 1))).sum(axis=-1))
