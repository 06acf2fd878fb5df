"""What the network should return for a batch of crops, and where that counts: tensor operations, on any device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsi_edt.cells import CellClass
from wsi_edt.datasets import Labelled
from wsi_edt.errors import UsageError
from wsi_edt.maps import Density, Edt, Kind
from wsi_edt.maps.kinds import FLOOR, DistanceKind, reach_px
from wsi_edt.maps.targets import GAUSSIAN_REACH
from wsi_edt.training.fields import Field
from wsi_edt.training.sampling import Crop
from wsi_edt.training.transfer import sent

BoolArray = npt.NDArray[np.bool_]

MAPS = ("positive", "negative", "nucleus")
NEAR_PX = 14  # a partially labelled image is trusted this close to a point: about the radius of a cell's disc in the map
LARGEST_REACH_PX = 256  # of a cell's disc; with the paper's constants IDT reaches farthest, 99 px

_CHANNELS = np.array(
    [[CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS].index(one) for one in CellClass]
)
_CLASS_OF_MAP = {"positive": 0, "negative": 1}
_PAPERS = Edt()


@dataclass(frozen=True, slots=True, eq=False)
class CropPoints:
    """The points in and around a batch's crops.

    Attributes
    ----------
    crop : (K,) int64, the crop that a point belongs to, ascending
    channel : (K,) int64, 0 positive, 1 negative, 2 of neither class
    column, row : (K,) int64, px of the crop, which may lie outside it
    point : (K,) int64, its number among its field's points
    """

    crop: npt.NDArray[np.int64]
    channel: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    point: npt.NDArray[np.int64]

    @classmethod
    def of(cls, crops: Sequence[Crop], fields: Sequence[Field], *, crop_px: int, reach_px: int) -> Self:
        """The points that lie in the crops, or no more than `reach_px` beside them."""
        parts = []
        for number, crop in enumerate(crops):
            field = fields[crop.field]
            places = np.floor(crop.places(field.points, crop_px)).astype(np.int64)
            near = np.all((places >= -reach_px) & (places < crop_px + reach_px), axis=1)
            channel = _CHANNELS[field.class_id[near]]
            own = (np.full(len(channel), number), channel, places[near], np.flatnonzero(near))
            parts.append(np.column_stack(own))
        return cls(*np.ascontiguousarray(np.concatenate(parts).T))

    def part(self, first: int, last: int) -> Self:
        """The points of the crops from `first` to before `last`, numbered from 0."""
        start, stop = np.searchsorted(self.crop, (first, last))
        own = self.select(slice(start, stop))
        return replace(own, crop=own.crop - first)

    def within(self, reach_px: int, crop_px: int) -> Self:
        """The points in their crop of `crop_px` a side, or no more than `reach_px` beside it."""
        places = np.stack([self.column, self.row])
        near: BoolArray = np.all((places >= -reach_px) & (places < crop_px + reach_px), axis=0)
        return self.select(near)

    def select(self, which: BoolArray | slice) -> Self:
        """Some of the points, in their order."""
        return type(self)(
            self.crop[which], self.channel[which], self.column[which], self.row[which], self.point[which]
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Gaussians:
    """The Gaussian of each point of some fields.

    Attributes
    ----------
    first : (F,) where each field's points begin in the others
    sigma : (P,) float64 px
    reach : (P,) int64 px, beyond which it is 0 along either axis
    peak : (P,) float64, at its centre
    """

    first: npt.NDArray[np.int64]
    sigma: npt.NDArray[np.float64]
    reach: npt.NDArray[np.int64]
    peak: npt.NDArray[np.float64]

    @classmethod
    def of(cls, fields: Sequence[Field], kind: Density) -> Self:
        """Of all points of the fields, whatever their class."""
        counts = [len(field.points) for field in fields]
        sigma = np.concatenate([kind.sigmas(field.points) for field in fields])
        reach = np.ceil(GAUSSIAN_REACH * sigma).astype(np.int64)
        return cls(np.cumsum([0, *counts[:-1]]), sigma, reach, (kind.sigma_px / sigma) ** 2)

    def lines(
        self, points: CropPoints, fields: npt.NDArray[np.int64], *, crop_px: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The factors of each point's Gaussian, down its crop's rows and along its columns: (K, crop_px) each."""
        own = self.first[fields] + points.point
        sigma, reach = self.sigma[own, None], self.reach[own, None]

        def line(centre: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            distance = np.arange(crop_px) - centre[:, None]
            values: npt.NDArray[np.float64] = np.exp(-0.5 * (distance / sigma) ** 2)
            return np.where(np.abs(distance) <= reach, values, 0.0)

        along = line(points.column) * self.peak[own, None]
        return line(points.row).astype(np.float32), along.astype(np.float32)


class TargetMaker:
    """Makes the targets of crops of some fields.

    Each kind of distance map falls with the distance from a point, so the nearest point's disc is the highest: a map is the
    maximum of discs laid on the points. Density maps are sums of Gaussians.

    Parameters
    ----------
    fields : that crops are taken of
    crop_px : side of the crops
    names : the maps, from `MAPS`, in the order wanted; "nucleus" has the nuclei of every class
    kind : of the maps. Density maps are scaled so that a lone cell's peak is 1: with unit mass it would be 0.01, and its
        squared error would be lost in rounding
    device : that computes

    Raises
    ------
    UsageError
        If a cell's disc would reach farther than `LARGEST_REACH_PX`.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        *,
        crop_px: int,
        names: tuple[str, ...] = MAPS,
        kind: Kind = _PAPERS,
        device: str = "cpu",
    ) -> None:
        self._crop_px, self._names, self._device = crop_px, names, device
        self._density = isinstance(kind, Density)
        if isinstance(kind, Density):
            self._gaussians = _Gaussians.of(fields, kind)
            reach = int(self._gaussians.reach.max(initial=1))
        else:
            self._lay_discs(fields, kind)
            reach = _reach(self._offsets)
        self._near = _offsets(NEAR_PX)
        self.reach_px = max(reach, NEAR_PX)
        extents = [
            [field.nuclei if name == "nucleus" else field.classes for name in names] for field in fields
        ]
        self._everywhere, self._near_points = (
            np.array([[extent is wanted for extent in row] for row in extents], np.float32).reshape(
                -1, len(names)
            )
            for wanted in (Labelled.EVERYWHERE, Labelled.NEAR_POINTS)
        )

    def _lay_discs(self, fields: Sequence[Field], kind: DistanceKind) -> None:
        # Fields of one max(DT) share a disc; for all kinds but EDT it is the same for all.
        distances = [field.max_distance_px if isinstance(kind, Edt) else 1.0 for field in fields]
        different, self._disc_of = np.unique(distances, return_inverse=True)
        lines = [_profile(kind, distance) for distance in different.tolist()]
        # A line is by the distance's square.
        offsets = _offsets(max(1, *(math.ceil(math.sqrt(len(line) - 1)) for line in lines)))
        squares = (offsets**2).sum(axis=1)
        discs = np.zeros((len(lines), len(offsets)), np.float32)
        for disc, line in zip(discs, lines, strict=True):
            held = squares < len(line)
            disc[held] = line[squares[held]]
        self._offsets, self._reaches = offsets, np.count_nonzero(discs, axis=1)
        self._discs = torch.from_numpy(discs).to(self._device)

    def fill(
        self,
        maps: Tensor,
        weight: Tensor,
        *,
        points: CropPoints,
        fields: npt.NDArray[np.int64],
        labelled: Tensor | None,
    ) -> None:
        """Write what the network should return, and where that is known.

        Parameters
        ----------
        maps : (B, maps, H, W) float32, becomes the maps in [0, 1]
        weight : (B, maps, H, W) float32, becomes 1 where the labels say what the map should be, 0 elsewhere
        points : of the crops
        fields : (B,) the crops' fields
        labelled : (B, H, W) bool, where labels hold; None: everywhere
        """
        classes = self._density_maps(points, fields) if self._density else self._discs_on(points, fields)
        for number, name in enumerate(self._names):
            if name in _CLASS_OF_MAP:
                maps[:, number] = classes[:, _CLASS_OF_MAP[name]]
            elif self._density:
                torch.sum(classes, dim=1, out=maps[:, number])
            else:
                torch.amax(classes, dim=1, out=maps[:, number])
        weight.copy_(self._on_device(self._everywhere[fields])[:, :, None, None])
        partial = self._near_points[fields]
        if partial.any():
            trusted = self._trusted(points, len(fields), np.any(partial > 0, axis=1))
            weight.addcmul_(self._on_device(partial)[:, :, None, None], trusted[:, None])
        if labelled is not None:
            weight.mul_(labelled[:, None])

    def _discs_on(self, points: CropPoints, fields: npt.NDArray[np.int64]) -> Tensor:
        """The largest of the discs of each class: (B, 3, H, W)."""
        # Offsets ascend with distance: the first are those that a disc of these crops reaches.
        own = self._disc_of[fields]
        count = int(self._reaches[own].max(initial=1))
        canvas, index, stamped = self._canvas(points, len(fields), self._offsets[:count])
        discs = self._discs[self._on_device(own), :count]  # (B, D)
        values = discs[self._on_device(stamped.crop)]  # (K, D)
        canvas.view(-1).scatter_reduce_(0, index.view(-1), values.view(-1), "amax")
        return self._uncovered(canvas)

    def _trusted(self, points: CropPoints, crops: int, wanted: BoolArray) -> Tensor:
        """1 where a point of its crop is near, for the crops wanted, else 0: (B, H, W) float32."""
        one_class = replace(points, channel=np.zeros_like(points.channel))
        canvas, index, _ = self._canvas(one_class.select(wanted[points.crop]), crops, self._near, channels=1)
        canvas.view(-1).index_fill_(0, index.view(-1), 1.0)
        return self._uncovered(canvas)[:, 0]

    def _density_maps(self, points: CropPoints, fields: npt.NDArray[np.int64]) -> Tensor:
        """Sums of the Gaussians of each class: (B, 3, H, W)."""
        points = points.within(self.reach_px, self._crop_px)
        down, along = (
            self._on_device(lines)
            for lines in self._gaussians.lines(points, fields[points.crop], crop_px=self._crop_px)
        )
        maps = torch.zeros(len(fields), 3, self._crop_px, self._crop_px, device=self._device)
        slot = points.crop * 3 + points.channel
        for one in np.unique(slot).tolist():
            own = self._on_device(np.flatnonzero(slot == one))
            torch.mm(down[own].T, along[own], out=maps.view(-1, *maps.shape[2:])[one])
        return maps

    def _canvas(
        self, points: CropPoints, crops: int, offsets: npt.NDArray[np.int64], *, channels: int = 3
    ) -> tuple[Tensor, Tensor, CropPoints]:
        """A canvas of zeros with room for every disc, so that none is clipped, and where the discs lie on it.

        Returns
        -------
        canvas : (B, channels, H + 4 · reach, W + 4 · reach)
        index : (K, D) int64 into the flat canvas, for each px of each disc
        points : the K points whose discs reach into their crop
        """
        reach = _reach(offsets)
        points = points.within(reach, self._crop_px)
        side = self._crop_px + 4 * reach
        rows = (points.crop * channels + points.channel) * side + points.row + 2 * reach
        places = rows * side + points.column + 2 * reach
        index = self._on_device(places)[:, None] + self._on_device(offsets[:, 1] * side + offsets[:, 0])
        return torch.zeros(crops, channels, side, side, device=self._device), index, points

    def _uncovered(self, canvas: Tensor) -> Tensor:
        """The middle of a canvas, as large as a crop."""
        first = (canvas.shape[-1] - self._crop_px) // 2
        inner = slice(first, first + self._crop_px)
        return canvas[:, :, inner, inner]

    def _on_device(self, values: npt.NDArray[np.generic]) -> Tensor:
        return sent(values, self._device)


def _reach(offsets: npt.NDArray[np.int64]) -> int:
    """How far offsets reach along an axis."""
    return int(np.abs(offsets).max(initial=1))


def _offsets(reach: int) -> npt.NDArray[np.int64]:
    """The px (x, y) within a disc of that radius around its centre, the nearest first: (D, 2)."""
    line = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    squares = (offsets**2).sum(axis=1)
    order = np.argsort(squares, kind="stable")
    ordered: npt.NDArray[np.int64] = offsets[order][squares[order] <= reach**2]
    return ordered


def _profile(kind: DistanceKind, max_distance_px: float) -> npt.NDArray[np.float32]:
    """A distance map's value by the distance's square, up to the last that isn't 0: (d²,) float32."""
    reach = reach_px(kind, max_distance_px=max_distance_px, limit_px=LARGEST_REACH_PX)
    if reach >= LARGEST_REACH_PX:
        constants = ", ".join(f"{name} = {value:g}" for name, value in asdict(kind).items())
        raise UsageError(
            f"reaches farther than {LARGEST_REACH_PX} px with {constants}",
            where="maps.target",
            remedy="give constants with which the map falls faster",
        )
    squares = np.arange((reach + 1) ** 2, dtype=np.float64)
    line = kind.values(np.sqrt(squares), max_distance_px=max_distance_px)
    return line[line >= FLOOR].astype(np.float32)
