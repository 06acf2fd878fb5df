"""Cells as arrays: where they are, how sure the model is, and of which class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.integer]


class CellClass(IntEnum):
    """What a cell is. The value is what arrays and stores hold; `label` is QuPath's name for it."""

    NEGATIVE = 0
    POSITIVE = 1
    NUCLEUS = 2  # any nucleus, of models and sets without a class

    @property
    def label(self) -> str:
        """The name that QuPath and the tables use."""
        return self.name.capitalize()


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """N cells.

    Attributes
    ----------
    x, y : (N,) float64, continuous px of one frame (the holder says which; on disk level-0 px)
    score : (N,) float32, the evidence map's value at the cell
    class_id : (N,) uint8, values of `CellClass`
    haematoxylin_od, dab_od : (N,) float32, the stains' mean optical densities within 2 µm of the cell, NaN for one that
        wasn't measured; None if none was
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    score: npt.NDArray[np.float32]
    class_id: npt.NDArray[np.uint8]
    haematoxylin_od: npt.NDArray[np.float32] | None = None
    dab_od: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        assert self.x.shape == self.y.shape == self.score.shape == self.class_id.shape == (len(self.x),)
        assert self.x.dtype == self.y.dtype == np.float64, (self.x.dtype, self.y.dtype)
        assert self.score.dtype == np.float32 and self.class_id.dtype == np.uint8, (
            self.score.dtype,
            self.class_id.dtype,
        )
        for density in (self.haematoxylin_od, self.dab_od):
            assert density is None or (density.shape == self.x.shape and density.dtype == np.float32)

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def empty(cls) -> Cells:
        """No cells."""
        return cls(np.zeros(0), np.zeros(0), np.zeros(0, np.float32), np.zeros(0, np.uint8))

    @classmethod
    def concatenate(cls, parts: Sequence[Cells]) -> Cells:
        """All cells of `parts`, in their order."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.y for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.class_id for part in parts]),
            _joined([part.haematoxylin_od for part in parts]),
            _joined([part.dab_od for part in parts]),
        )

    def select(self, which: BoolArray | IndexArray | slice) -> Cells:
        """The cells that a boolean mask, an index array or a slice selects; of a slice, views of these arrays."""
        return Cells(
            self.x[which],
            self.y[which],
            self.score[which],
            self.class_id[which],
            None if self.haematoxylin_od is None else self.haematoxylin_od[which],
            None if self.dab_od is None else self.dab_od[which],
        )

    def sorted_by_position(self) -> Cells:
        """The same cells ordered by y, then x, then class: the order of every file."""
        above = self.y[:-1] < self.y[1:]
        if (above | ((self.y[:-1] == self.y[1:]) & (self.x[:-1] < self.x[1:]))).all():
            return self  # a slide's cells come so; sorting ten million takes long, and twice the memory
        return self.select(np.lexsort((self.class_id, self.x, self.y)))

    def count(self, class_id: CellClass) -> int:
        """How many cells are of that class."""
        return int(np.count_nonzero(self.class_id == class_id))


def _joined(parts: Sequence[npt.NDArray[np.float32] | None]) -> npt.NDArray[np.float32] | None:
    """All values; None if any part has none."""
    measured = [part for part in parts if part is not None]
    return np.concatenate(measured) if len(measured) == len(parts) else None
