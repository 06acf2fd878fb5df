"""From location maps to cells with a class and a score: one of `METHODS` on the maps that show the evidence.

`decode` is the one place where maps become points, classes and scores; validation and inference share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass
from wsi_edt.errors import UsageError
from wsi_edt.maps.local_maxima import FloatMap, check_window
from wsi_edt.maps.methods import method_named, shares

Evidence = Literal["max", "sum", "nucleus", "separate"]

MAP_NAMES = ("positive", "negative", "nucleus")
LEAST_GAIN, LARGEST_GAIN = 0.1, 10.0  # beyond them one class alone would be found
_CLASS_MAPS = (("positive", CellClass.POSITIVE), ("negative", CellClass.NEGATIVE))


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """N peaks of one set of maps, ordered by (y, x), then by class.

    Attributes
    ----------
    x, y : (N,) int32, column and row of the pixel
    score : (N,) float32, what the threshold is compared with there: the evidence or, if the method's threshold is relative,
        its share of the map's maximum
    class_id : (N,) uint8, values of `CellClass`
    """

    x: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]
    class_id: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        assert self.x.shape == self.y.shape == self.score.shape == self.class_id.shape == (len(self.x),)
        assert self.x.dtype == self.y.dtype == np.int32, (self.x.dtype, self.y.dtype)
        assert self.score.dtype == np.float32, self.score.dtype
        assert self.class_id.dtype == np.uint8, self.class_id.dtype

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How a model's maps become cells; part of the model.

    Attributes
    ----------
    maps : names of the network's output maps in their order, of `MAP_NAMES`
    evidence : the map that cells are looked for in: the pixelwise maximum or the sum of positive and negative, or nucleus;
        "separate": in the positive and in the negative map, each for itself, so that a nucleus in both counts twice
    window_px : odd side of the method's window, in map px
    threshold : what a cell must exceed: the evidence itself or, if the method is relative, a share of the map's maximum
    method : how cells are found in that map, of `METHODS`
    negative_gain : by how much the negative map is multiplied in the evidence, but not where the class is decided: a
        network's negative maps are lower than its positive ones, so that a threshold would drop pale nuclei first

    Raises
    ------
    UsageError
        If there is no such map, evidence, window, threshold, method or gain, or the evidence needs other maps.
    """

    maps: tuple[str, ...]
    evidence: Evidence
    window_px: int
    threshold: float
    method: str = "ccls"
    negative_gain: float = 1.0

    def __post_init__(self) -> None:
        names = ", ".join(self.maps)
        if not self.maps or len(set(self.maps)) != len(self.maps) or not set(self.maps) <= set(MAP_NAMES):
            raise UsageError(
                f"a model can't have the maps [{names}]",
                remedy=f"name different ones of {', '.join(MAP_NAMES)}",
            )
        if self.evidence not in ("max", "sum", "nucleus", "separate"):
            raise UsageError(
                f"there is no evidence {self.evidence!r}", remedy="choose max, sum, nucleus or separate"
            )
        if ("positive" in self.maps) != ("negative" in self.maps):
            raise UsageError(f"positive and negative maps come together; the maps are {names}")
        needed = {"nucleus"} if self.evidence == "nucleus" else {"positive", "negative"}
        if not needed <= set(self.maps):
            raise UsageError(
                f"evidence {self.evidence!r} needs the maps {', '.join(sorted(needed))}; the maps are {names}"
            )
        check_window(self.window_px)
        if not 0.0 <= self.threshold < float("inf"):
            raise UsageError(f"there is no threshold {self.threshold:g}", remedy="choose 0 or more")
        if self.is_relative and self.threshold >= 1.0:
            raise UsageError(
                f"nothing exceeds the threshold {self.threshold:g} of {self.method}, a share of the map's maximum",
                remedy="choose less than 1",
            )
        if not LEAST_GAIN <= self.negative_gain <= LARGEST_GAIN:
            raise UsageError(
                f"there is no gain {self.negative_gain:g} of negative maps",
                remedy=f"choose {LEAST_GAIN:g} to {LARGEST_GAIN:g}",
            )

    @property
    def radius_px(self) -> int:
        """Half the window: the least distance of two peaks less one, Chebyshev; stitching uses the same."""
        return self.window_px // 2

    @property
    def is_separate(self) -> bool:
        """Whether each class's cells are found as if there were no other."""
        return self.evidence == "separate"

    @property
    def is_relative(self) -> bool:
        """Whether the threshold is a share of each map's maximum, see `Method`."""
        return method_named(self.method).is_relative

    @property
    def highest_score(self) -> float:
        """What no score exceeds: a network learns maps that lie in [0, 1], and the evidence is made of them."""
        if self.is_relative or self.evidence == "nucleus":
            return 1.0
        return 1.0 + self.negative_gain if self.evidence == "sum" else max(1.0, self.negative_gain)

    def changed(
        self,
        *,
        method: str | None = None,
        evidence: Evidence | None = None,
        window_px: int | None = None,
        threshold: float | None = None,
        negative_gain: float | None = None,
    ) -> DecodeSettings:
        """The same with some other entries; None leaves one as it is.

        With a method whose threshold means something else, one relative and the other not, window and threshold can't stay:
        what isn't given is the new method's own.

        Raises
        ------
        UsageError
            If the new method needs a threshold and has none of its own, or `DecodeSettings` refuses.
        """
        other = method_named(self.method if method is None else method)
        if other.is_relative != self.is_relative:
            threshold = other.threshold if threshold is None else threshold
            window_px = other.windows_px[0] if window_px is None else window_px
            if threshold is None:
                kind = "a share of each map's maximum" if other.is_relative else "absolute"
                raise UsageError(
                    f"needs a threshold of its own: it is {kind}, unlike {self.method}'s",
                    where=f"the method {method}",
                    remedy="give one, for example 0.3",
                )
        return replace(
            self,
            method=self.method if method is None else method,
            evidence=self.evidence if evidence is None else evidence,
            window_px=self.window_px if window_px is None else window_px,
            threshold=self.threshold if threshold is None else threshold,
            negative_gain=self.negative_gain if negative_gain is None else negative_gain,
        )


def evidence_of(names: tuple[str, ...]) -> Evidence:
    """Where cells are looked for in maps of these names, if nothing else is asked for.

    The maximum of positive and negative finds about the same cells as their sum. The nucleus map, which learns from sets
    without classes to see more than a count is made of, stands in only where there are no classes; "separate" counts a
    nucleus that both maps show twice.
    """
    return "sum" if "positive" in names else "nucleus"


def decode(maps: FloatMap, settings: DecodeSettings) -> Peaks:
    """The cells of one tile's maps.

    The method finds them on the evidence map, in which the negative map counts `negative_gain` times; the higher of the
    positive and the negative map, as they are, decides their class there (negative on a tie), so that one cell is never
    counted once per class. With the evidence "separate" each of the two maps is decoded for itself, and a cell has the
    class of its map.

    Parameters
    ----------
    maps : (C, H, W) float32, the network's maps in the order of `settings.maps`
    settings : the model's

    Returns
    -------
    Peaks, ordered by (y, x) and class, in px of the maps
    """
    assert maps.ndim == 3, maps.shape
    assert len(maps) == len(settings.maps), (maps.shape, settings.maps)
    named = dict(zip(settings.maps, maps, strict=True))
    if settings.is_separate:
        raised = _raised(named, settings)
        return _both([_found(raised[name], settings, class_id) for name, class_id in _CLASS_MAPS])
    peaks = _found(evidence_map(named, settings), settings, CellClass.NUCLEUS)
    if "positive" not in named:
        return peaks
    is_positive = named["positive"][peaks.y, peaks.x] > named["negative"][peaks.y, peaks.x]
    class_id = np.where(is_positive, np.uint8(CellClass.POSITIVE), np.uint8(CellClass.NEGATIVE))
    return replace(peaks, class_id=class_id.astype(np.uint8))


def evidence_map(named: Mapping[str, FloatMap], settings: DecodeSettings) -> FloatMap:
    """The map that cells are looked for in: (H, W) float32, of the maps (H, W) by their names; not for "separate"."""
    assert not settings.is_separate
    raised = _raised(named, settings)
    if settings.evidence == "nucleus":
        return raised["nucleus"]
    both = raised["positive"], raised["negative"]
    evidence: FloatMap = np.maximum(*both) if settings.evidence == "max" else np.add(*both)
    return evidence


def _raised(named: Mapping[str, FloatMap], settings: DecodeSettings) -> Mapping[str, FloatMap]:
    """The maps with the negative one times its gain."""
    if settings.negative_gain == 1.0 or "negative" not in named:
        return named
    negative: FloatMap = named["negative"] * np.float32(settings.negative_gain)
    return {**named, "negative": negative}


def _found(evidence: FloatMap, settings: DecodeSettings, class_id: CellClass) -> Peaks:
    """The cells of one map, all of one class."""
    rows, columns = method_named(settings.method).find(evidence, settings.window_px, settings.threshold)
    compared = shares(evidence) if settings.is_relative and len(rows) else evidence
    return Peaks(
        columns.astype(np.int32),
        rows.astype(np.int32),
        compared[rows, columns].astype(np.float32),
        np.full(len(rows), class_id, np.uint8),
    )


def _both(parts: list[Peaks]) -> Peaks:
    """The cells of several maps, ordered by (y, x), then by class."""
    x, y, score, class_id = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y", "score", "class_id")
    )
    order = np.lexsort((class_id, x, y))
    return Peaks(x[order], y[order], score[order], class_id[order])
