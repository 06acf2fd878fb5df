"""Peaks of many tiles, before stitching: where they are on the slide, and which tile found them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class TilePeaks:
    """N peaks that tiles found.

    Attributes
    ----------
    x, y : (N,) int32, pixel index (column, row) on the slide's model-px grid
    score : (N,) float32
    class_id : (N,) uint8, values of `CellClass`
    tile : (N,) int32, index of the tile that found the peak
    density : (N, 3) uint16, mean optical densities of red, green and blue around the peak, see `mean_densities`
    """

    x: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]
    class_id: npt.NDArray[np.uint8]
    tile: npt.NDArray[np.int32]
    density: npt.NDArray[np.uint16]

    def __post_init__(self) -> None:
        columns = (self.x, self.y, self.score, self.class_id, self.tile)
        assert {column.shape for column in columns} == {(len(self.x),)}, [column.shape for column in columns]
        assert [column.dtype for column in columns] == [np.int32, np.int32, np.float32, np.uint8, np.int32]
        assert self.density.shape == (len(self.x), 3) and self.density.dtype == np.uint16, self.density.shape

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def empty(cls) -> TilePeaks:
        """No peaks."""
        zeros = np.zeros(0, np.int32)
        return cls(
            zeros, zeros, np.zeros(0, np.float32), np.zeros(0, np.uint8), zeros, np.zeros((0, 3), np.uint16)
        )

    @classmethod
    def concatenate(cls, parts: Sequence[TilePeaks]) -> TilePeaks:
        """All peaks of `parts`, in their order."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.y for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.class_id for part in parts]),
            np.concatenate([part.tile for part in parts]),
            np.concatenate([part.density for part in parts]),
        )

    def select(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> TilePeaks:
        """The peaks that a boolean mask or an index array selects."""
        return TilePeaks(
            self.x[which],
            self.y[which],
            self.score[which],
            self.class_id[which],
            self.tile[which],
            self.density[which],
        )
