"""The kinds of location map and their constants, as a training's configuration names them (paper §3.1, Eqs. 3-6, Table 10).

A further one is a class like these and a line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from wsi_edt.errors import UsageError

Target = Literal["edt", "idt", "fidt", "density"]
Distances = npt.NDArray[np.float64]
Points = npt.NDArray[np.float64]

# A distance map's values below this are set to 0 (paper §4.4.1).
FLOOR = 0.01
# px, of adaptive Gaussians. Equal masses have peaks like 1 / σ²: two clicks on one nucleus would rise high above all
# others, and a lone cell would vanish.
ADAPTIVE_SIGMA_PX = (2.0, 15.0)


@dataclass(frozen=True, slots=True)
class Edt:
    """Exponential distance transform: ``1 / (DT ** (c1 · DT / max(DT) + c2) + c3)`` (Eq. 6), 1 / c3 at a cell's centre.

    Raises
    ------
    UsageError
        If the map wouldn't fall with distance with these constants, or never reach the 0.01 under which it is 0.
    """

    c1: float = 10.0
    c2: float = 0.5
    c3: float = 1.0

    def __post_init__(self) -> None:
        if not (self.c1 >= 0 and self.c2 > 0 and 0 < self.c3 <= 1 / FLOOR):
            raise UsageError(
                f"there is no EDT map for c1 {self.c1:g}, c2 {self.c2:g} and c3 {self.c3:g}",
                remedy="choose c1 >= 0, c2 > 0 and 0 < c3 <= 100",
            )

    def values(self, distance: Distances, *, max_distance_px: float) -> Distances:
        """The map at these distances, px, from the nearest cell, in a field with this max(DT)."""
        # Far away the power overflows to infinity, and the map is 0 there as it should.
        with np.errstate(over="ignore"):
            return 1.0 / (distance ** (self.c1 * distance / max_distance_px + self.c2) + self.c3)


@dataclass(frozen=True, slots=True)
class Idt:
    """Inverse distance transform: ``1 / (DT + c)`` (Eq. 4); see `Edt`."""

    c: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.c <= 1 / FLOOR:
            raise UsageError(f"there is no IDT map for c {self.c:g}", remedy="choose 0 < c <= 100")

    def values(self, distance: Distances, *, max_distance_px: float) -> Distances:
        """As `Edt.values`; max(DT) doesn't matter."""
        return 1.0 / (distance + self.c)


@dataclass(frozen=True, slots=True)
class Fidt:
    """Focal inverse distance transform: ``1 / (DT ** (alpha · DT + beta) + c)`` (Eq. 5); see `Edt`."""

    alpha: float = 0.02
    beta: float = 0.75
    c: float = 1.0

    def __post_init__(self) -> None:
        if not (self.alpha >= 0 and self.beta > 0 and 0 < self.c <= 1 / FLOOR):
            raise UsageError(
                f"there is no FIDT map for alpha {self.alpha:g}, beta {self.beta:g} and c {self.c:g}",
                remedy="choose alpha >= 0, beta > 0 and 0 < c <= 100",
            )

    def values(self, distance: Distances, *, max_distance_px: float) -> Distances:
        """As `Edt.values`; max(DT) doesn't matter."""
        with np.errstate(over="ignore"):
            return 1.0 / (distance ** (self.alpha * distance + self.beta) + self.c)


@dataclass(frozen=True, slots=True)
class Density:
    """The sum of a Gaussian for each cell (Eq. 3), all of equal mass, scaled so that one of σ = `sigma_px` peaks at 1.

    Attributes
    ----------
    sigma_px : of each Gaussian, px; the default keeps the peaks of neighbouring nuclei, 20 px apart, separate
    adaptive : whether each cell has its own σ, 0.3 × the mean distance to its 3 nearest neighbours (Zhang et al., CVPR
        2016), within `ADAPTIVE_SIGMA_PX`

    Raises
    ------
    UsageError
        If σ isn't above 0, or its Gaussians reach beyond all measure.
    """

    sigma_px: float = 4.0
    adaptive: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.sigma_px <= 40:
            raise UsageError(
                f"there is no density map for sigma_px {self.sigma_px:g}",
                remedy="choose sigma_px > 0, at most 40",
            )

    def sigmas(self, points: Points) -> npt.NDArray[np.float64]:
        """The σ of each point's Gaussian, px: (N,), from all N points (x, y) of a field."""
        if not self.adaptive:
            return np.full(len(points), self.sigma_px)
        return np.clip(neighbour_sigmas(points), *ADAPTIVE_SIGMA_PX)


DistanceKind = Edt | Idt | Fidt
Kind = DistanceKind | Density

KINDS: dict[Target, type[Kind]] = {"edt": Edt, "idt": Idt, "fidt": Fidt, "density": Density}


def kind_of(target: Target, constants: Mapping[str, Any]) -> Kind:
    """The kind of that name with these constants, of which it has the paper's where none is given.

    Raises
    ------
    UsageError
        If a constant is another kind's, or makes no map.
    """
    own = [field.name for field in fields(KINDS[target])]
    for name in constants:
        if name not in own:
            others = [
                other for other, kind in KINDS.items() if name in (field.name for field in fields(kind))
            ]
            raise UsageError(
                f"is a constant of {' and '.join(others)}, not of {target}",
                where=f"maps.{name}",
                remedy=f"leave it out: {target} has {', '.join(own)}",
            )
    return KINDS[target](**constants)


def reach_px(kind: DistanceKind, *, max_distance_px: float, limit_px: int) -> int:
    """The largest whole distance at which a map still isn't 0, px; never above `limit_px`."""
    values = kind.values(np.arange(limit_px + 1, dtype=np.float64), max_distance_px=max_distance_px)
    return int(np.count_nonzero(values >= FLOOR)) - 1


def neighbour_sigmas(
    points: Points, *, neighbours: int = 3, factor: float = 0.3, lone_px: float = 15.0, least_px: float = 0.5
) -> npt.NDArray[np.float64]:
    """The σ of each point's Gaussian: `factor` × the mean distance to its nearest `neighbours`.

    Geometry-adaptive kernels of Zhang et al., CVPR 2016 (factor 0.3).

    Parameters
    ----------
    points : (N, 2) float64, (x, y) px
    neighbours : how many nearest neighbours are averaged; fewer where there are no more
    factor : σ per mean distance
    lone_px : σ in px of a point without any neighbour
    least_px : σ in px that no point falls below (points on one spot have distance 0)

    Returns
    -------
    (N,) float64 px
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    found = min(neighbours, len(points) - 1)
    if found < 1:
        return np.full(len(points), lone_px)
    # The first neighbour is the point itself (or its double), at distance 0.
    distances = np.asarray(cKDTree(points).query(points, k=list(range(2, found + 2)))[0], dtype=np.float64)
    return np.asarray(np.maximum(factor * distances.mean(axis=1), least_px), dtype=np.float64)
