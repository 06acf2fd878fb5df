"""How often the index's 95 % interval holds the truth: slides of clustered cells, made so that their true index is known.

    python workflows/benchmarks/interval_coverage.py [--slides 100] [--cells 1,3]

Cells lie in Thomas clusters, in round nests, or more densely where a random field is high (Gaussian or exponential
covariance); how likely a cell is positive changes with the cluster or the field. The truth is the expected number of
positive cells over that of all cells. Prints a row per process, and then the seconds that the interval of a large slide
takes. Beside wsi-edt's interval stand Wilson's of as many independent cells, and percentiles of resampled 0.5 mm blocks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

import click
import numpy as np
import numpy.typing as npt
from measuring import Numbers, machine, table
from scipy import fft, special, stats

from wsi_edt.cells import BoolArray, Cells
from wsi_edt.ki67.interval import Without, index_interval

FloatArray = npt.NDArray[np.float64]
Random = np.random.Generator
Points = tuple[FloatArray, FloatArray, BoolArray]  # x, y in mm, whether positive

MM_PER_PX = 0.00025
FIELD_MM = 0.0625  # of a random field's squares


@dataclass(frozen=True, slots=True)
class Outline:
    """The tissue in a box of width × height mm: all of it, an ellipse, strips like needle biopsies, or one with holes."""

    width: float
    height: float
    kind: str = "box"

    def holds(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Which points lie on tissue."""
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        if self.kind == "ellipse":
            inside &= (x / self.width - 0.5) ** 2 + (y / self.height - 0.5) ** 2 <= 0.25
        if self.kind == "strips":
            inside &= x % 2.5 < 1
        if self.kind == "holes":
            places = np.random.default_rng(7)
            for _ in range(int(self.width * self.height / 2)):
                center_x, center_y = places.uniform(0, (self.width, self.height))
                inside &= (x - center_x) ** 2 + (y - center_y) ** 2 > places.uniform(0.2, 0.6) ** 2
        return inside


@dataclass(frozen=True, slots=True)
class Clusters:
    """Parents scattered at random, each with cells around it and a share of positive ones of its own, Beta(a, b).

    Attributes
    ----------
    per_mm2 : parents
    cells : of each, on average
    size_mm : the standard deviation of a Thomas cluster, or the radius of a round nest
    between_per_mm2 : cells that belong to no cluster, positive as often as all others
    """

    per_mm2: float
    cells: float
    size_mm: float
    a: float
    b: float
    between_per_mm2: float
    round: bool = False

    @property
    def truth(self) -> float:
        """The share of positive cells."""
        return self.a / (self.a + self.b)

    def points(self, random: Random, outline: Outline) -> Points:
        """The cells of one slide."""
        margin = self.size_mm * (1 if self.round else 4)
        width, height = outline.width, outline.height
        parents = random.poisson(self.per_mm2 * (width + 2 * margin) * (height + 2 * margin))
        parent = np.repeat(np.arange(parents), random.poisson(self.cells, parents))
        x, y = (random.uniform(-margin, side + margin, parents)[parent] for side in (width, height))
        share = random.beta(self.a, self.b, parents)[parent]
        if self.round:
            angle, far = random.uniform(0, 2 * np.pi, len(parent)), np.sqrt(random.random(len(parent)))
            x, y = x + self.size_mm * far * np.cos(angle), y + self.size_mm * far * np.sin(angle)
        else:
            x, y = (values + random.normal(0, self.size_mm, len(parent)) for values in (x, y))
        between = random.poisson(self.between_per_mm2 * width * height)
        x = np.concatenate([x, random.uniform(0, width, between)])
        y = np.concatenate([y, random.uniform(0, height, between)])
        share = np.concatenate([share, np.full(between, self.truth)])
        return x, y, random.random(len(x)) < share


@dataclass(frozen=True, slots=True)
class Field:
    """Cells where exp(0.7 u) is high, positive where logit⁻¹(base + spread × v) is, u and v correlated by 0.5.

    Attributes
    ----------
    scale_mm : covariances are exp(-(r / 2 scale)²), or exp(-r / scale) of `exponential` ones
    """

    scale_mm: float
    base: float
    spread: float
    exponential: bool = False
    per_mm2: float = 3000
    density_spread: float = 0.7
    correlation: float = 0.5

    @property
    def truth(self) -> float:
        """E[density × share] / E[density], by quadrature: weighting by density shifts u by its spread."""
        z, weight = np.polynomial.hermite_e.hermegauss(80)
        middle = self.base + self.spread * self.correlation * self.density_spread
        return float(weight @ special.expit(middle + self.spread * z) / weight.sum())

    def points(self, random: Random, outline: Outline) -> Points:
        """The cells of one slide."""
        rows, columns = int(outline.height / FIELD_MM), int(outline.width / FIELD_MM)
        u, own = (self._field(random, rows, columns) for _ in range(2))
        v = self.correlation * u + np.sqrt(1 - self.correlation**2) * own
        density = np.exp(self.density_spread * u - self.density_spread**2 / 2)
        square = np.repeat(
            np.arange(rows * columns), random.poisson(self.per_mm2 * FIELD_MM**2 * density).ravel()
        )
        row, column = np.divmod(square, columns)
        x, y = ((place + random.random(len(square))) * FIELD_MM for place in (column, row))
        return x, y, random.random(len(square)) < special.expit(self.base + self.spread * v).ravel()[square]

    def _field(self, random: Random, rows: int, columns: int) -> FloatArray:
        root = _spectrum(self.scale_mm, self.exponential, rows, columns)
        size = (root.shape[0], fft.next_fast_len(columns + int(6 * self.scale_mm / FIELD_MM)))
        return fft.irfft2(fft.rfft2(random.standard_normal(size)) * root, size)[:rows, :columns]


@cache
def _spectrum(scale_mm: float, exponential: bool, rows: int, columns: int) -> FloatArray:
    """The root of a covariance's spectrum on a torus that is larger than the field by six scales."""
    margin = int(6 * scale_mm / FIELD_MM)
    size = (fft.next_fast_len(rows + margin), fft.next_fast_len(columns + margin))
    down, right = (np.minimum(np.arange(n), n - np.arange(n)) * FIELD_MM for n in size)
    distance = np.hypot(down[:, np.newaxis], right)
    covariance = np.exp(-distance / scale_mm) if exponential else np.exp(-((distance / (2 * scale_mm)) ** 2))
    return np.sqrt(np.maximum(fft.rfft2(covariance).real, 0))


@dataclass(frozen=True, slots=True)
class Process:
    """One kind of slide."""

    name: str
    cells: Clusters | Field
    outline: Outline


PROCESSES = (
    Process("independent cells", Field(0.05, -1.5, 0.0, density_spread=0.3), Outline(3, 3)),
    Process("Thomas 0.05 mm", Clusters(10, 100, 0.05, 1, 4, 0), Outline(4, 4)),
    Process("Thomas 0.15 mm", Clusters(10, 100, 0.15, 1, 4, 500), Outline(6, 4)),
    Process("Thomas 0.15 mm, needles", Clusters(10, 100, 0.15, 1, 9, 200), Outline(12, 10, "strips")),
    Process("Thomas 0.25 mm", Clusters(4, 300, 0.25, 0.5, 4, 300), Outline(10, 8)),
    Process("Thomas 0.4 mm", Clusters(1, 1000, 0.4, 0.5, 4, 300), Outline(12, 10)),
    Process("nests 0.15 mm, small", Clusters(3, 140, 0.15, 1, 2, 100, round=True), Outline(4, 3)),
    Process("nests 0.2 mm, 3 %", Clusters(3, 380, 0.2, 0.3, 9, 200, round=True), Outline(8, 6)),
    Process("nests 0.3 mm", Clusters(1.5, 850, 0.3, 1, 4, 200, round=True), Outline(8, 6)),
    Process("nests 0.5 mm", Clusters(0.5, 2400, 0.5, 1, 3, 200, round=True), Outline(15, 10)),
    Process("field 0.1 mm", Field(0.1, -1.5, 1), Outline(5, 4)),
    Process("field 0.1 mm, 6 %", Field(0.1, -3.5, 1), Outline(5, 4)),
    Process("field 0.1 mm, 1 %", Field(0.1, -5, 0.7), Outline(4, 3)),
    Process("field 0.25 mm, ellipse", Field(0.25, -1, 1), Outline(14, 10, "ellipse")),
    Process("field 0.25 mm, holes", Field(0.25, -1.5, 1), Outline(12, 10, "holes")),
    Process("field 0.3 mm, steep", Field(0.3, -3, 1.5), Outline(12, 8)),
    Process("field 0.5 mm", Field(0.5, -1.5, 1, per_mm2=1000), Outline(20, 15)),
    Process("exponential 0.1 mm", Field(0.1, -1.5, 1, exponential=True), Outline(6, 5)),
    Process("exponential 0.25 mm", Field(0.25, -1.5, 1, exponential=True), Outline(12, 10)),
    Process("rare hot nests, 1 %", Clusters(2, 380, 0.2, 0.1, 9.9, 300, round=True), Outline(6, 5)),
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one slide; None where there is no interval."""

    blocks: int | None
    block_mm: float = 0.0
    below: bool = False  # the truth lies below the interval
    above: bool = False
    width: float = 0.0  # points
    wilson_holds: bool = False
    percentiles_hold: bool = False


def made(process: Process, seed: Sequence[int]) -> Cells:
    """A slide's cells, level-0 px."""
    x, y, positive = process.cells.points(np.random.default_rng(seed), process.outline)
    held = process.outline.holds(x, y)
    x, y = (values[held] / MM_PER_PX for values in (x, y))
    return Cells(x, y, np.ones(len(x), np.float32), positive[held].astype(np.uint8))


def tried(place: int, slide: int) -> Tried:
    """The interval of one slide of a process, against the truth."""
    process = PROCESSES[place]
    cells, truth = made(process, (place, slide)), process.cells.truth
    interval = index_interval(cells, mm_per_px=MM_PER_PX)
    if isinstance(interval, Without):
        return Tried(None)
    low, high = interval.low_percent / 100, interval.high_percent / 100
    return Tried(
        interval.blocks,
        interval.block_mm,
        truth < low,
        truth > high,
        100 * (high - low),
        _between(wilson(cells), truth),
        _between(percentiles(cells), truth),
    )


def wilson(cells: Cells) -> tuple[float, float]:
    """Wilson's 95 % interval of the share, as if cells were independent."""
    found = stats.binomtest(int(np.count_nonzero(cells.class_id)), len(cells)).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def percentiles(cells: Cells) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the share in resampled blocks of 0.5 mm."""
    side = 0.5 / MM_PER_PX
    place = (cells.x // side).astype(np.int64) + 1000 * (cells.y // side).astype(np.int64)
    _, block = np.unique(place, return_inverse=True)
    counted, positive = np.bincount(block), np.bincount(block, cells.class_id)
    chosen = np.random.default_rng(1).integers(0, len(counted), (999, len(counted)))
    shares = positive[chosen].sum(axis=1) / counted[chosen].sum(axis=1)
    low, high = np.quantile(shares, (0.025, 0.975))
    return float(low), float(high)


def _between(ends: tuple[float, float], truth: float) -> bool:
    return ends[0] <= truth <= ends[1]


HEAD = (
    "process",
    "mm × mm",
    "truth %",
    "given %",
    "blocks",
    "side mm",
    "width",
    "HOLDS %",
    "±",
    "truth below",
    "above",
    "Wilson %",
    "0.5 mm blocks %",
)


def row(process: Process, slides: Sequence[Tried]) -> list[str]:
    """A process's row of the table."""
    given = [one for one in slides if one.blocks is not None]

    def share(of: Callable[[Tried], bool]) -> float:
        return 100 * sum(map(of, given)) / max(len(given), 1)

    def mean(of: Callable[[Tried], float]) -> float:
        return float(np.mean([of(one) for one in given])) if given else 0.0

    holds = share(lambda one: not one.below and not one.above)
    return [
        process.name,
        f"{process.outline.width:g} × {process.outline.height:g}",
        f"{100 * process.cells.truth:.1f}",
        f"{100 * len(given) / len(slides):.0f}",
        f"{mean(lambda one: one.blocks or 0):.0f}",
        f"{mean(lambda one: one.block_mm):.2f}",
        f"{mean(lambda one: one.width):.1f}",
        f"{holds:.1f}",
        f"{np.sqrt(holds * (100 - holds) / max(len(given), 1)):.1f}",
        f"{share(lambda one: one.below):.1f}",
        f"{share(lambda one: one.above):.1f}",
        f"{share(lambda one: one.wilson_holds):.0f}",
        f"{share(lambda one: one.percentiles_hold):.0f}",
    ]


def seconds(millions: float) -> float:
    """What the interval of a slide of so many million cells takes, the fastest of three times."""
    side = np.sqrt(millions * 1e6 / 3000)
    cells = made(Process("", Clusters(10, 250, 0.15, 1, 4, 500), Outline(side, side)), (0, 0))
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        index_interval(cells, mm_per_px=MM_PER_PX)
        taken.append(time.perf_counter() - started)
    return min(taken)


@click.command()
@click.option("--slides", type=int, default=100, show_default=True, help="Slides of each process.")
@click.option("--cells", type=Numbers(fractions=True), default="1,3", show_default=True, help="In millions.")
@click.option("--workers", type=int, default=os.cpu_count() or 1, show_default=True, help="Processes.")
def main(slides: int, cells: list[float], workers: int) -> None:
    """Print how often intervals hold the truth, by process, and what they take."""
    print(machine())
    print("of 100 slides with an interval (± its standard error); width in points of the index\n")
    rows = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for place, process in enumerate(PROCESSES):
            found = list(pool.map(tried, [place] * slides, range(slides), chunksize=10))
            rows.append(row(process, found))
            click.echo(f"{process.name}: {rows[-1][HEAD.index('HOLDS %')]} %", err=True)
    print(table(HEAD, rows))
    print()
    print(table(("million cells", "s"), [[f"{count:g}", f"{seconds(count):.2f}"] for count in cells]))


if __name__ == "__main__":
    main()
