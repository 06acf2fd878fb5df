"""What is reported of the cells: rules and limits that change no cell, so that a report is made again without a network."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from wsi_edt.errors import UsageError
from wsi_edt.ki67.place import Shape
from wsi_edt.ki67.profiles import NO_PROFILE, Profile


@dataclass(frozen=True, slots=True)
class HotspotRule:
    """What a hotspot is.

    Attributes
    ----------
    shape : its outline
    mm2, cells : it grows until it holds that many cells, or has that area, where `least_cells` are enough
    count : how many are looked for in each order
    """

    shape: Shape = Shape.DISC
    mm2: float = 0.5
    cells: int = 500
    count: int = 3

    def __post_init__(self) -> None:
        if not 0.01 <= self.mm2 <= 100:
            raise UsageError(
                f"--hotspot-mm2 {self.mm2:g} isn't a size of a hotspot", remedy="give 0.01 to 100"
            )
        if self.cells < 1:
            raise UsageError(f"--hotspot-cells {self.cells} is too small", remedy="give at least 1")
        if not 0 <= self.count <= 20:
            raise UsageError(f"--hotspots {self.count} isn't possible", remedy="give 0 to 20")

    @property
    def least_cells(self) -> int:
        """The cells that one of the largest size needs: half as many."""
        return -(-self.cells // 2)


@dataclass(frozen=True, slots=True)
class Conventions:
    """The rules that a result is made by.

    Attributes
    ----------
    least_cells : with fewer cells an index is flagged as unreliable
    profile : the cut-offs that an index is compared with
    certainty : the probability from which on a side of a cut-off is called certain
    hotspots : what a hotspot is
    field_cells : cells that are counted in each of the four fields
    dab_cutoffs : the DAB optical densities from which on a cell is 1+, 2+ and 3+
    """

    least_cells: int = 500
    profile: Profile = NO_PROFILE
    certainty: float = 0.95
    hotspots: HotspotRule = field(default_factory=HotspotRule)
    field_cells: int = 100
    dab_cutoffs: tuple[float, float, float] = (0.2, 0.4, 0.6)

    def __post_init__(self) -> None:
        if not 0 < self.dab_cutoffs[0] < self.dab_cutoffs[1] < self.dab_cutoffs[2]:
            words = ",".join(f"{value:g}" for value in self.dab_cutoffs)
            raise UsageError(
                f"--dab-cutoffs {words} don't ascend from above 0", remedy="give for example 0.2,0.4,0.6"
            )
        if not 0.5 < self.certainty < 1:
            raise UsageError(
                f"--certainty {self.certainty:g} isn't a share", remedy="give more than 0.5 and less than 1"
            )

    def to_json(self) -> dict[str, object]:
        """The rules as JSON values: a finished slide that was reported otherwise is reported again from its store."""
        return asdict(self)
