"""What thousands of regions cost: areas, their numbers and regions.csv of a made slide, beside sorting its cells once.

    python workflows/benchmarks/regions.py [--cells 1] [--regions 10,1000,5000]

The slide is 20 × 20 mm full of tissue with cells anywhere. Regions are outlines of 100 points, 75 to 225 µm wide, that
overlap by chance; a tenth as many more are ignored ones. Of the first row's three regions each is some 3 mm wide.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np
from measuring import Numbers, machine, spent, table
from shapely import Polygon

from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import Conventions, CountedBy, SlideFindings, assess
from wsi_edt.ki67.areas import areas_of
from wsi_edt.ki67.findings import with_regions
from wsi_edt.qupath.regions import Region
from wsi_edt.results.outputs.regions_csv import RegionsCsv
from wsi_edt.slides import SlideSource, Staining, TissueMask
from wsi_edt.slides.quality import SlideQuality
from wsi_edt.slides.quality.measures import MEASURES

WIDTH = 80_000  # level-0 px of 0.25 µm
SCALE = Scale(0.25, 0.3125)
CLASSES = ("Tumor", "Stroma", "Tumor")


def slide(count: int) -> SlideFindings:
    """Findings of that many cells without regions."""
    rng = np.random.default_rng(0)
    cells = Cells(
        rng.uniform(0, WIDTH, count),
        np.sort(rng.uniform(0, WIDTH, count)),
        np.ones(count, np.float32),
        (rng.random(count) < 0.3).astype(np.uint8),
    )
    extent = SCALE.model_extent(WIDTH, WIDTH)
    side = -(-extent[0] // 32)
    tissue = TissueMask(
        np.ones((side, side), np.bool_), 10.0, extent, cover=np.full((side, side), 200, np.uint8)
    )
    return SlideFindings(
        slide="made",
        source=SlideSource(Path("made")),
        cells=cells,
        tissue=tissue,
        staining=Staining.DAB,
        quality=SlideQuality({measure.name: None for measure in MEASURES}),
        scale=SCALE,
        mpp_stated=True,
        bounds=Window(0, 0, WIDTH, WIDTH),
        counted_by=CountedBy("made", "made"),
    )


def drawn(count: int, reach_px: float) -> tuple[Region, ...]:
    """That many regions, and a tenth as many ignored ones, smaller."""
    rng = np.random.default_rng(1)
    angles = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    regions = []
    for k in range(count + count // 10):
        reach = reach_px * rng.uniform(0.5, 1.5) * (1 if k < count else 0.3)
        x, y = rng.uniform(reach_px, WIDTH - reach_px, 2)
        wavy = reach * (1 + 0.1 * np.sin(5 * angles))
        outline = Polygon(np.column_stack([x + wavy * np.cos(angles), y + wavy * np.sin(angles)]))
        regions.append(Region("nest", outline, CLASSES[k % 3] if k < count else "Ignore*"))
    return tuple(regions)


def row(found: SlideFindings, regions: tuple[Region, ...], *, sorting: float) -> list[str]:
    """A row of the table; `sorting` are the seconds that one sort of the cells takes."""
    with spent() as restricting:
        restricted = with_regions(found, regions, restrict=True)
    with spent() as finding:
        areas = list(areas_of(restricted))
    with spent() as assessing:
        result = assess(restricted, Conventions())
    with tempfile.TemporaryDirectory() as folder, spent() as writing:
        RegionsCsv("qupath").write(Path(folder), restricted, result)
    stages = [one.cpu_seconds for one in (restricting, finding, assessing, writing)]
    ratio = (sum(stages) - finding.cpu_seconds) / sorting  # which assessing does again
    seconds = [f"{one:.2f}" for one in stages]
    return [f"{len(regions):,}", f"{len(areas):,}", f"{len(restricted.cells):,}", *seconds, f"{ratio:.1f}"]


@click.command()
@click.option("--cells", type=Numbers(fractions=True), default="1", help="Millions.")
@click.option("--regions", type=Numbers(), default="10,1000,5000", help="How many.")
def main(cells: list[float], regions: list[int]) -> None:
    """Print a table for each number of cells."""
    print(machine())
    head = [
        "regions",
        "areas",
        "cells in them",
        "restricting",
        "areas, s",
        "all numbers",
        "regions.csv",
        "× sorting",
    ]
    for millions in cells:
        found = slide(round(millions * 1e6))
        with spent() as sorting:
            np.lexsort((found.cells.x, found.cells.y))
        given = [drawn(3, 6000.0), *(drawn(count, 300.0) for count in regions)]
        print(f"\n{millions:g} million cells, CPU seconds\n")
        print(table(head, [row(found, one, sorting=sorting.cpu_seconds) for one in given]))


if __name__ == "__main__":
    main()
