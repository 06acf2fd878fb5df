"""From counts per image to ratios, counting errors and index errors; for many thresholds or resamples at once."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wsi_edt.evaluation.outcomes import CLASSES, FALSE, MATCHED, MISSED, CountArray

FloatArray = npt.NDArray[np.float64]

LIMITS_SDS = 1.96  # Bland and Altman's 95 % limits of agreement: so many standard deviations around the bias


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Metrics of sets of images; any leading shape (…), for example of thresholds or of resamples.

    Ratios of nothing are 0, errors over no images NaN. Index errors are in percentage points, over the images that have
    true cells; an image in which nothing was found counts as 0 %: leaving it out would flatter.

    Attributes
    ----------
    precision, recall, f1 : (…, 3) in the order of `CLASSES`, from the sums over all images
    count_mae, count_rmse : (…, 3) errors of the images' numbers of cells
    index_mae, index_bias : (…) mean absolute, and mean signed (predicted − true), error of the images' Ki-67 index
    index_sd : (…) standard deviation of the signed error; NaN for fewer than two images
    index_found, index_true : (…) Ki-67 index of all images' cells together, per cent
    """

    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    count_mae: FloatArray
    count_rmse: FloatArray
    index_mae: FloatArray
    index_bias: FloatArray
    index_sd: FloatArray
    index_found: FloatArray
    index_true: FloatArray

    @property
    def index_pooled_bias(self) -> FloatArray:
        """(…) how many points the index of all cells together is too high."""
        return self.index_found - self.index_true

    @property
    def index_lower(self) -> FloatArray:
        """(…) the lower 95 % limit of agreement of the images' index, points."""
        return self.index_bias - LIMITS_SDS * self.index_sd

    @property
    def index_upper(self) -> FloatArray:
        """(…) the upper 95 % limit of agreement of the images' index, points."""
        return self.index_bias + LIMITS_SDS * self.index_sd

    def at(self, where: Any) -> Statistics:  # noqa: ANN401 - whatever indexes an array
        """The statistics at an index, slice or mask of the first axis."""
        return replace(self, **{field.name: getattr(self, field.name)[where] for field in fields(self)})


def index_drift(at_thresholds: Statistics, *, f1_within: float = 0.03) -> float:
    """How far the index of all cells moves over the thresholds that find cells about equally well, in points.

    A choice among these is arbitrary: where positive cells have higher scores than negative ones, the index follows it.

    Parameters
    ----------
    at_thresholds : (T,) at each threshold
    f1_within : thresholds count whose F1 of all cells is at most this much below the best
    """
    f1 = at_thresholds.f1[:, 0]
    found = at_thresholds.index_found[f1 >= f1.max() - f1_within]
    return float(found.max() - found.min())


@dataclass(frozen=True, slots=True, eq=False)
class ImageSums:
    """What each image adds to the sums from which all statistics come.

    Attributes
    ----------
    sums : (…, N, K) float64; statistics of any choice of images, with repetitions, come from weighted sums over N
    """

    sums: FloatArray

    @classmethod
    def of(cls, counts: CountArray) -> ImageSums:
        """The sums of each image.

        Parameters
        ----------
        counts : (…, N, 3, 3) image × class × (matched, false, missed), as from `Outcomes.counts`
        """
        errors = (counts[..., FALSE] - counts[..., MISSED]).astype(np.float64)
        truth_index, difference = image_indices(counts)
        has_cells = np.isfinite(truth_index)
        difference = np.where(has_cells, difference, 0.0)
        by_image = np.stack([has_cells, np.abs(difference), difference, difference**2], axis=-1)
        ones = np.ones((*counts.shape[:-2], 1))
        flat = counts.reshape(*counts.shape[:-2], 9).astype(np.float64)
        return cls(np.concatenate([flat, np.abs(errors), errors**2, ones, by_image], axis=-1))

    def statistics(self, weights: FloatArray | None = None) -> Statistics:
        """The statistics of all images, or of each of B choices of them.

        Parameters
        ----------
        weights : (B, N), how often each image is in the choice; only for sums of shape (N, K)
        """
        return _from_sums(self.sums.sum(axis=-2) if weights is None else weights @ self.sums)


def image_indices(counts: CountArray) -> tuple[FloatArray, FloatArray]:
    """(…, N) the images' true Ki-67 index in per cent, NaN without true cells, and how much the predicted one differs.

    Parameters
    ----------
    counts : (…, N, 3, 3) image × class × (matched, false, missed)
    """
    positive, negative = (counts[..., CLASSES.index(name), :] for name in ("positive", "negative"))
    found_positive, found_negative = (part[..., MATCHED] + part[..., FALSE] for part in (positive, negative))
    true_positive, true_negative = (part[..., MATCHED] + part[..., MISSED] for part in (positive, negative))
    found = _share(found_positive, found_positive + found_negative)
    truth = _share(true_positive, true_positive + true_negative, of_nothing=np.nan)
    return 100.0 * truth, 100.0 * (found - truth)


def _from_sums(sums: FloatArray) -> Statistics:
    """Statistics (…) of sums (…, K) in the order of `ImageSums.of`."""
    counts = sums[..., :9].reshape(*sums.shape[:-1], 3, 3)
    matched, false, missed = (counts[..., place] for place in (MATCHED, FALSE, MISSED))
    absolute, squared, images = sums[..., 9:12], sums[..., 12:15], sums[..., 15:16]
    has_cells, index_absolute, index_signed, index_squared = (sums[..., place] for place in range(16, 20))
    index_bias = _share(index_signed, has_cells, of_nothing=np.nan)
    # Rounding may take the sum of squares a hair below that of equal differences.
    spread = np.maximum(index_squared - has_cells * np.nan_to_num(index_bias) ** 2, 0.0)
    found, true = matched + false, matched + missed
    positive, negative = (CLASSES.index(name) for name in ("positive", "negative"))
    return Statistics(
        precision=_share(matched, found),
        recall=_share(matched, true),
        f1=_share(2 * matched, found + true),
        count_mae=_share(absolute, images, of_nothing=np.nan),
        count_rmse=np.sqrt(_share(squared, images, of_nothing=np.nan)),
        index_mae=_share(index_absolute, has_cells, of_nothing=np.nan),
        index_bias=index_bias,
        index_sd=np.sqrt(_share(spread, np.where(has_cells > 1, has_cells - 1, 0.0), of_nothing=np.nan)),
        index_found=100.0
        * _share(found[..., positive], found[..., positive] + found[..., negative], of_nothing=np.nan),
        index_true=100.0
        * _share(true[..., positive], true[..., positive] + true[..., negative], of_nothing=np.nan),
    )


def _share(part: npt.ArrayLike, whole: npt.ArrayLike, *, of_nothing: float = 0.0) -> FloatArray:
    """The ratio of two counts; `of_nothing` if the whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    shares = np.full(whole.shape, of_nothing)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
