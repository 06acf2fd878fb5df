"""Random crops of fields: which, where, how large, how turned. A step's crops depend only on the seed and the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from wsi_edt.datasets import PointArray
from wsi_edt.training.fields import OVERHANG, Field, chances

OFF_CENTRE = 0.4  # of the crop: how far from its centre the place may lie around which it is taken

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of a field, which is brought to the side of all crops, turned, then flipped.

    Attributes
    ----------
    field : its index
    x, y : of its corner, px of the field; may lie in the field's margin
    side_px : px of the field
    quarter_turns : counter-clockwise, 0 to 3
    flip : left to right
    """

    field: int
    x: int
    y: int
    side_px: int
    quarter_turns: int
    flip: bool

    def places(self, points: PointArray, crop_px: int) -> PointArray:
        """Points (N, 2) of the field as px of the crop, brought to `crop_px` a side, turned and flipped."""
        x, y = ((points - (self.x, self.y)) * (crop_px / self.side_px)).T
        for _ in range(self.quarter_turns):
            x, y = y, crop_px - x
        return np.column_stack([crop_px - x if self.flip else x, y])


@dataclass(frozen=True, slots=True, eq=False)
class CropSampler:
    """Draws crops: first a set by its weight, then one of its fields by its labelled area, a size, a place and a turn.

    Attributes
    ----------
    fields : all of them
    chances : (F,) how likely each is drawn
    crop_px : side of the crops in model px, before their size is changed
    scale : their sides are drawn from crop_px / (1 + scale) to crop_px · (1 + scale)
    turns : the share of crops that get one of the eight flips and right-angle turns
    seed : of all draws
    """

    fields: Sequence[Field]
    chances: FloatArray
    crop_px: int
    scale: float
    turns: float
    seed: int

    @classmethod
    def of(
        cls,
        fields: Sequence[Field],
        weights: Mapping[str, float],
        *,
        crop_px: int,
        scale: float,
        turns: float,
        seed: int,
    ) -> Self:
        """A sampler that draws the sets by these weights."""
        return cls(fields, chances(fields, weights), crop_px, scale, turns, seed)

    def crops(self, step: int, count: int) -> list[Crop]:
        """That many crops of a step."""
        draws = np.random.default_rng((self.seed, step)).random((count, 8))
        which = np.searchsorted(np.cumsum(self.chances), draws[:, 0], side="right")
        return [
            self._crop(min(field, len(self.fields) - 1), draw)
            for field, draw in zip(which.tolist(), draws[:, 1:].tolist(), strict=True)
        ]

    def _crop(self, number: int, draw: list[float]) -> Crop:
        scale, place, right, down, turned, quarter_turns, flip = draw
        field = self.fields[number]
        side = max(1, round(self.crop_px * (1 + self.scale) ** (2 * scale - 1)))
        if len(field.places):
            around = field.places[int(place * len(field.places))]
            shifts = ((2 * share - 1) * OFF_CENTRE * side for share in (right, down))
            corner = [
                _held(middle - side / 2 + shift, low, high, side)
                for middle, shift, low, high in zip(
                    around.tolist(), shifts, field.held[:2], field.held[2:], strict=True
                )
            ]
        else:
            corner = [
                _anywhere(share, length, side)
                for share, length in ((right, field.width), (down, field.height))
            ]
        x, y = (
            round(_held(first, 0, length, side))
            for first, length in zip(corner, (field.width, field.height), strict=True)
        )
        turns = turned < self.turns
        return Crop(number, x, y, side, int(quarter_turns * 4) if turns else 0, turns and flip < 0.5)


def largest_px(crop_px: int, scale: float) -> int:
    """The side of the largest crop that is drawn, px of the field."""
    return round(crop_px * (1 + scale))


def _anywhere(share: float, length: int, side: int) -> float:
    """A crop's first px on one axis: from one overhanging end to the other, or in the middle if there is no room."""
    if length <= side:
        return (length - side) / 2
    overhang = OVERHANG * side
    return -overhang + share * (length - side + 2 * overhang)


def _held(first: float, low: float, high: float, side: int) -> float:
    """A crop's first px on one axis, moved so that it overhangs [low, high) little, or holds most of it."""
    ends = sorted((low, high - side))
    overhang = OVERHANG * side
    return min(max(first, ends[0] - overhang), ends[1] + overhang)
