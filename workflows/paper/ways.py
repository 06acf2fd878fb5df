"""The paper's ways from maps to cells (§3.2, Tables 2, 3 and 10), and the choice of their window and threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import skimage.feature

from wsi_edt.cells import CellClass, Cells
from wsi_edt.evaluation.outcomes import Outcomes
from wsi_edt.evaluation.pairs import ImagePair
from wsi_edt.evaluation.predictions import PredictedImage
from wsi_edt.geometry import pixel_centers
from wsi_edt.maps import ccls, lmds, lmss

RADII_PX = (5.0, 10.0)  # the paper's, px of the image at 512×512
CLASS_OF = {"positive": CellClass.POSITIVE, "negative": CellClass.NEGATIVE, "nucleus": CellClass.NUCLEUS}
# Dense where the maps of a short training peak; the paper's own threshold is 0.06.
ABSOLUTE = tuple(
    float(one) for one in np.round([*np.arange(0.02, 0.1, 0.01), *np.arange(0.1, 0.62, 0.02)], 2)
)
RELATIVE = tuple(float(one) for one in np.round(np.arange(0.1, 0.92, 0.02), 2))

FloatMap = npt.NDArray[np.float32]


class Method(StrEnum):
    """How one map becomes cells: CCLS, the paper's, and what it compares with."""

    CCLS = "ccls"
    LMSS = "lmss"
    LMDS = "lmds"
    PEAK_LOCAL_MAX = "peak_local_max"

    @property
    def windows_px(self) -> tuple[int, ...]:
        """Sides of the windows that are compared: for CCLS one pooling of 11 px, or the paper's two."""
        return (3,) if self in (Method.LMSS, Method.LMDS) else (11, 21)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """What is compared: values of the map, or shares of its maximum; LMDS has its own."""
        return {Method.CCLS: ABSOLUTE, Method.LMDS: (0.0,)}.get(self, RELATIVE)


@dataclass(frozen=True, slots=True)
class Way:
    """A method with its numbers.

    Attributes
    ----------
    method : which
    window_px : odd side of its window, map px
    threshold : that a cell's score must exceed: the map's value (CCLS), its share of the map's maximum (LMSS,
        peak_local_max), nothing (LMDS)
    """

    method: Method
    window_px: int
    threshold: float

    def __str__(self) -> str:
        return f"{self.method}, {self.window_px} px, {self.threshold:g}"

    def cells(self, image: PredictedImage) -> Cells:
        """The cells of an image. Each map is decoded by itself: with two, that is the paper's separate prediction."""
        found = [
            _cells(map_, self, CLASS_OF[name]) for map_, name in zip(image.maps, image.map_names, strict=True)
        ]
        return Cells.concatenate(found)

    def pair(self, image: PredictedImage) -> ImagePair:
        """The predicted and the annotated cells of an image."""
        return ImagePair(image.name, image.case, self.cells(image), image.truth)


def outcomes_of(pairs: Sequence[ImagePair], image: PredictedImage, radius_px: float) -> Outcomes:
    """What became of the cells; `image` tells whether there are classes."""
    return Outcomes.of(pairs, radius_px=radius_px, has_classes="positive" in image.map_names)


def best_way(images: Sequence[PredictedImage], method: Method) -> Way:
    """The window and threshold with the highest F1, the mean of that at 5 and 10 px.

    With positive and negative maps F1 is the mean of both classes'. Whether a px is its window's maximum doesn't depend on
    the threshold, and peak_local_max takes the highest first: a threshold is a filter on what is found at a lower one.
    """
    best, best_f1 = Way(method, method.windows_px[0], method.thresholds[0]), -1.0
    for window_px in method.windows_px:
        lowest = Way(method, window_px, 0.0)
        pairs = [lowest.pair(image) for image in images]
        f1 = np.mean([_f1(outcomes_of(pairs, images[0], radius), method) for radius in RADII_PX], axis=0)
        place = int(np.argmax(f1))
        if f1[place] > best_f1:
            best, best_f1 = replace(lowest, threshold=method.thresholds[place]), float(f1[place])
    return best


def _f1(outcomes: Outcomes, method: Method) -> npt.NDArray[np.float64]:
    """(T,) F1 at each threshold."""
    counts = outcomes.counts(method.thresholds).sum(axis=1)  # (T, 3, 3)
    matched, false, missed = np.moveaxis(counts[:, 1:] if outcomes.has_classes else counts[:, :1], -1, 0)
    f1: npt.NDArray[np.float64] = (2 * matched / np.maximum(2 * matched + false + missed, 1)).mean(axis=1)
    return f1


def _cells(map_: FloatMap, way: Way, class_id: CellClass) -> Cells:
    rows, columns, score = _peaks(map_, way)
    kept = score > np.float32(way.threshold)
    rows, columns, score = rows[kept], columns[kept], score[kept]
    return Cells(pixel_centers(columns), pixel_centers(rows), score, np.full(len(score), class_id, np.uint8))


def _peaks(map_: FloatMap, way: Way) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], FloatMap]:
    """All peaks, with the scores that the threshold is for."""
    highest = np.float32(max(float(map_.max()), 1e-9))
    if way.method is Method.CCLS:
        rows, columns = ccls(map_, threshold=0.0, window_px=way.window_px)
        return rows, columns, map_[rows, columns]
    if way.method is Method.LMSS:
        rows, columns = lmss(map_, relative_threshold=0.0, window_px=way.window_px)
    elif way.method is Method.LMDS:
        rows, columns = lmds(map_)
    else:
        find: Callable[..., npt.NDArray[np.intp]] = skimage.feature.peak_local_max
        # A map without peaks is a plateau of zeros: a threshold of 0 keeps it from being one cell.
        rows, columns = find(map_, min_distance=way.window_px // 2, threshold_abs=0.0, exclude_border=False).T
    return rows, columns, map_[rows, columns] / highest
