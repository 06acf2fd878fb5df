"""What tables of cells take beside the GeoJSON of the same cells: seconds, memory and bytes.

    python workflows/benchmarks/tables.py [--cells 1,3]

A made slide's cells lie at places of which none repeats, all measured, some of them in three regions. Each format is
written by a process of its own, whose memory before (with the cells, and the format's library) is left out.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import shapely
from measuring import MIB, Numbers, Spent, in_fresh_process, machine, memory_now, peak_memory, spent, table

from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import CountedBy, SlideFindings
from wsi_edt.qupath.regions import Region
from wsi_edt.results.exports import exports
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.slides import SlideSource, Staining, TissueMask
from wsi_edt.slides.quality import SlideQuality

PITCH_PX = 30.0
SCALE = Scale(0.25, 0.3125)
NEEDS = {"parquet": "pyarrow.parquet", "csv": "pyarrow.csv", "geojson": "orjson", "anndata": "anndata"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one format took: time, the most memory beyond that of before, and bytes of the file."""

    spent: Spent
    memory: int
    size: int


def made(count: int) -> SlideFindings:
    """A slide with that many cells, on a lattice with some jitter, ordered by y and x."""
    rng = np.random.default_rng(0)
    side = int(count**0.5) + 1
    row, column = np.divmod(np.arange(count), side)
    densities = rng.random((2, count), dtype=np.float32)
    cells = Cells(
        x=(column + rng.random(count) / 2) * PITCH_PX,
        y=(row + np.arange(count) / count / 2) * PITCH_PX,
        score=rng.random(count, dtype=np.float32),
        class_id=rng.integers(0, 2, count).astype(np.uint8),
        haematoxylin_od=densities[0],
        dab_od=densities[1],
    )
    width = side * PITCH_PX
    regions = [
        Region(f"region {k}", shapely.Point(width * (k + 1) / 4, width / 2).buffer(width / 5))
        for k in range(3)
    ]
    return SlideFindings(
        slide="made.tif",
        source=SlideSource(Path("made.tif")),
        cells=cells,
        tissue=TissueMask(np.ones((1, 1), np.bool_), 10.0, (32, 32)),
        staining=Staining.DAB,
        quality=SlideQuality({}),
        scale=SCALE,
        mpp_stated=True,
        bounds=Window(0, 0, int(width), int(width)),
        counted_by=CountedBy("made", "Nothing was counted."),
        regions=tuple(regions),
    )


def write(folder: Path, form: str, count: int) -> Outcome:
    """Write the cells in a format."""
    findings = made(count)
    import_module(NEEDS[form])
    export = exports(OutputOptions())[form]
    before = memory_now()
    with spent() as taken:
        export.write(folder / export.name, findings)
    return Outcome(taken, max(peak_memory() - before, 0), (folder / export.name).stat().st_size)


def row(form: str, count: int, outcome: Outcome, geojson: Outcome) -> list[str]:
    """The outcome as a row of the table."""
    return [
        f"{count / 1e6:g} million, {form}",
        f"{outcome.spent.seconds:.1f} ({outcome.spent.cpu_seconds:.1f})",
        f"{1e6 * outcome.spent.cpu_seconds / count:.2f}",
        f"{outcome.memory / MIB:.0f}",
        f"{outcome.size / 1e6:.0f}",
        f"{outcome.spent.cpu_seconds / geojson.spent.cpu_seconds:.2f}",
        f"{outcome.size / geojson.size:.2f}",
    ]


HEAD = ("cells", "seconds", "µs/cell", "MiB more", "file MB", "× GeoJSON's time", "× GeoJSON's bytes")


@click.command()
@click.option(
    "--cells", type=Numbers(fractions=True), default="1,3", show_default=True, help="Sizes, in millions."
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="For temporary files: 2 GB.")
def main(cells: list[float], folder: Path | None) -> None:
    """Print seconds by the clock (and of the processor), memory and bytes, by format."""
    rows = []
    for millions in cells:
        count = round(millions * 1e6)
        outcomes = {}
        for form, module in NEEDS.items():
            if find_spec(module.partition(".")[0]) is None:
                click.echo(f"left out: {form}, as {module} isn't installed", err=True)
                continue
            with tempfile.TemporaryDirectory(dir=folder) as temporary:
                outcomes[form] = in_fresh_process(write, Path(temporary), form, count)
        rows += [row(form, count, outcome, outcomes["geojson"]) for form, outcome in outcomes.items()]
    print(machine())
    print("seconds by the clock (of the processor); memory beyond what the cells and the library take\n")
    print(table(HEAD, rows))


if __name__ == "__main__":
    main()
