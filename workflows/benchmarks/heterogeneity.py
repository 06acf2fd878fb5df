"""How often the intervals of heterogeneity hold the truth, and the time that it takes.

    python workflows/benchmarks/heterogeneity.py [--slides 300] [--cells 1,3]

The slides are those of interval_coverage.py whose tissue is a box. Their edge is like their centre, so that the difference
is 0 in truth. Only where cells are independent is the entropy like that of even tissue, and nowhere are there two peaks but
in nests apart from others. Then the seconds for a large slide, beside those of sorting its cells once.
"""

from __future__ import annotations

from dataclasses import dataclass

import click
import numpy as np
from interval_coverage import MM_PER_PX, PROCESSES, Field, Outline, Process
from measuring import Numbers, machine, spent, table

from wsi_edt.cells import BoolArray, Cells
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.heterogeneity import Heterogeneity, heterogeneity_of
from wsi_edt.ki67.unevenness import BIMODALITY_ABOVE

PER_MM2 = 3000
EVEN = Process("independent cells, large", Field(0.05, -1.5, 0.0, density_spread=0.3), Outline(8, 7))


@dataclass(frozen=True, slots=True)
class Held:
    """Of how many intervals how many held the truth."""

    intervals: int
    held: int

    @classmethod
    def of(cls, estimates: list[tuple[Estimate | None, float]]) -> Held:
        """Of estimates and what is true; those without an interval don't count."""
        ends = [(one.low, one.high, truth) for one, truth in estimates if one is not None]
        found = [low <= truth <= high for low, high, truth in ends if low is not None and high is not None]
        return cls(len(found), sum(found))

    def __str__(self) -> str:
        return f"{100 * self.held / self.intervals:.1f} % of {self.intervals}" if self.intervals else "none"


def measured(process: Process, random: np.random.Generator) -> Heterogeneity:
    """The heterogeneity of one slide."""
    outline = process.outline
    x, y, positive = process.cells.points(random, outline)
    inside = outline.holds(x, y)
    x, y = x[inside], y[inside]
    distances = np.minimum.reduce([x, outline.width - x, y, outline.height - y])
    return heterogeneity_of(cells_at(x, y, positive[inside]), distances, mm_per_px=MM_PER_PX)


def cells_at(x: np.ndarray, y: np.ndarray, positive: BoolArray) -> Cells:
    """Cells at these places, mm."""
    return Cells(x / MM_PER_PX, y / MM_PER_PX, np.ones(len(x), np.float32), positive.astype(np.uint8))


def coverage(process: Process, slides: int) -> list[str]:
    """A row of the table."""
    found = [measured(process, np.random.default_rng((3, slide))) for slide in range(slides)]
    difference = Held.of([(one.edge_minus_centre, 0.0) for one in found])
    even = Held.of([(one.entropy, one.entropy_if_even or 0.0) for one in found])
    spreads = [one.spread.value for one in found if one.spread is not None]
    peaks = sum(one.bimodality is not None and one.bimodality.value > BIMODALITY_ABOVE for one in found)
    spread = f"{np.mean(spreads):.1f}" if spreads else "none"
    return [process.name, str(difference), str(even), spread, f"{100 * peaks / slides:.0f} %"]


def seconds(millions: float) -> list[str]:
    """A row of the table of times."""
    random = np.random.default_rng(5)
    side = (millions * 1e6 / PER_MM2) ** 0.5
    x, y = random.random((2, round(millions * 1e6))) * side
    cells = cells_at(x, y, random.random(len(x)) < 0.2)
    distances = np.minimum.reduce([x, side - x, y, side - y])
    with spent() as sorting:
        np.lexsort((cells.class_id, cells.x, cells.y))
    with spent() as taken:
        heterogeneity_of(cells, distances, mm_per_px=MM_PER_PX)
    ratio = taken.cpu_seconds / sorting.cpu_seconds
    return [f"{millions:g} million", f"{taken.cpu_seconds:.2f}", f"{ratio:.2f}"]


@click.command()
@click.option("--slides", default=300, help="Of each kind.")
@click.option("--cells", type=Numbers(), default="1,3", help="Millions, of the slides whose time is taken.")
def main(slides: int, cells: tuple[float, ...]) -> None:
    """Print both tables."""
    print(machine(), end="\n\n")
    boxes = [EVEN, *(process for process in PROCESSES if process.outline.kind == "box")]
    head = [
        "slides",
        "edge − centre holds 0",
        "entropy like even tissue's",
        "spread, points",
        "bimodality > 5/9",
    ]
    print(table(head, [coverage(process, slides) for process in boxes]), end="\n\n")
    print(table(["cells", "CPU seconds", "times one sort"], [seconds(millions) for millions in cells]))


if __name__ == "__main__":
    main()
