"""How the end of the pipeline grows with a slide's cells: stitching, GeoJSON, tables, overview; in seconds and memory.

    python workflows/benchmarks/cells_scale.py [--cells 1,3,10]

A slide of glass gets nuclei on a jittered lattice. Each tile finds those in its core and margin, one in five of them a
px from where its neighbour finds it: one cell of each must be left. The peaks lie in the slide's store, as workers'
answers do; a fresh process does what `wsi-edt run` does after the last shard.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from make_slide import Mosaic, read_picture, write_slide
from measuring import (
    MIB,
    Numbers,
    Spent,
    in_fresh_process,
    machine,
    peak_memory,
    planned,
    resolved,
    spent,
    table,
)

from wsi_edt.detection.compute import ComputeOptions
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.stitching import MARGIN_PX
from wsi_edt.ki67 import assess
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.store import SlideStore
from wsi_edt.results.summary import summary_table
from wsi_edt.run.finalise import seen_of, slide_findings
from wsi_edt.run.options import RunOptions
from wsi_edt.slides import Shard, Tile

PITCH_PX = 25  # of the lattice, odd so that seams cut it everywhere; nuclei stay 15 px apart, beyond a decoder's radius
JITTER_PX = 5
SHIFTED_EVERY = 5
POSITIVE_EVERY = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one size took.

    Attributes
    ----------
    found, expected : cells; they must be equal
    stages : by name
    memory : the most bytes that were held
    geojson_bytes : of the file
    """

    found: int
    expected: int
    stages: dict[str, Spent]
    memory: int
    geojson_bytes: int


def nuclei(count: int, side: int, rows: tuple[int, int], columns: tuple[int, int]) -> npt.NDArray[np.int64]:
    """The nuclei in a window (N, 3): number, x and y in model px.

    Parameters
    ----------
    count : of the whole slide
    side : nuclei per row
    rows, columns : the window, [first, last) px
    """
    i, j = (np.arange(max(a // PITCH_PX, 0), min(b // PITCH_PX + 1, side)) for a, b in (rows, columns))
    number = (i[:, None] * side + j).ravel()
    number = number[number < count]
    row, column = np.divmod(number, side)
    jitter = [(number * factor >> 7) % (2 * JITTER_PX + 1) - JITTER_PX for factor in (40_503, 65_599)]
    x, y = column * PITCH_PX + PITCH_PX // 2 + jitter[0], row * PITCH_PX + PITCH_PX // 2 + jitter[1]
    inside = (x >= columns[0]) & (x < columns[1]) & (y >= rows[0]) & (y < rows[1])
    found: npt.NDArray[np.int64] = np.stack([number, x, y], axis=1)[inside]
    return found


def tile_peaks(tile: Tile, *, count: int, side: int) -> TilePeaks:
    """What a tile finds: the nuclei in its core and margin, some of them a px to the right."""
    own = tile.core.grown(MARGIN_PX)
    number, x, y = nuclei(count, side, (own.y, own.bottom), (own.x - 1, own.right)).T
    x = x + ((number + tile.index) % SHIFTED_EVERY == 0)
    held = (x >= own.x) & (x < own.right)
    number, x, y = number[held], x[held], y[held]
    score = 0.3 + (number * 2_654_435_761 % 1000) / 1500 + (tile.index % 7) / 10_000
    return TilePeaks(
        x.astype(np.int32),
        y.astype(np.int32),
        score.astype(np.float32),
        (number % POSITIVE_EVERY == 0).astype(np.uint8),
        np.full(len(x), tile.index, np.int32),
        np.stack([number * factor % 9973 for factor in (101, 211, 307)], axis=1).astype(np.uint16),
    )


OPTIONS = RunOptions(tissue_mask=False, compute=ComputeOptions(device="cpu", precision="fp32", threads=1))


def prepare(folder: Path, count: int) -> None:
    """Make a slide and its store with all shards computed."""
    settings = resolved(OPTIONS)
    side = math.isqrt(count - 1) + 1
    width = side * PITCH_PX + PITCH_PX
    path = folder / "cells.tif"
    picture = read_picture(None)
    mosaic = Mosaic.of(picture, width=width, height=width, tissue=1 / width)
    write_slide(path, mosaic, mpp=settings.cells.model_mpp)
    plan = planned(path, settings)
    store = SlideStore.create(folder / names.STORE, plan.header)
    for shard in plan.shards:
        store.write_shard(shard, _shard_peaks(shard, count, side), seconds=1.0)


def _shard_peaks(shard: Shard, count: int, side: int) -> TilePeaks:
    return TilePeaks.concatenate([tile_peaks(tile, count=count, side=side) for tile in shard.tiles])


def finish(folder: Path, count: int) -> Outcome:
    """Do what a run does once the last shard is stored."""
    settings = resolved(OPTIONS)
    plan = planned(folder / "cells.tif", settings)
    store = SlideStore(folder / names.STORE, plan.header)
    outputs = {output.name: output for output in settings.outputs}
    stages = {}
    with spent() as stages["read, stitch"]:
        findings = slide_findings(seen_of(plan, settings), store, settings.cells)
    with spent() as stages["tables"]:
        result = assess(findings, settings.conventions)
        outputs[names.KI67].write(folder, findings, result)
        row = SummaryRow.from_result(result, seconds=1.0)
        (folder / names.SUMMARY).write_bytes(summary_table([row]))
    with spent() as stages["GeoJSON"]:
        outputs[names.CELLS].write(folder, findings, result)
    with spent() as stages["overview"]:
        outputs[names.OVERVIEW].write(folder, findings, result)
    size = (folder / names.CELLS).stat().st_size
    return Outcome(len(findings.cells), count, stages, peak_memory(), size)


def bytes_per_cell(outcome: Outcome, smallest: Outcome) -> float | None:
    """By how much memory grows with each cell beyond those of the smallest size; what all sizes take is left out."""
    more = outcome.expected - smallest.expected
    return (outcome.memory - smallest.memory) / more if more else None


def row(outcome: Outcome, smallest: Outcome) -> list[str]:
    """The outcome as a row of the table."""
    wall = sum(stage.seconds for stage in outcome.stages.values())
    cpu = sum(stage.cpu_seconds for stage in outcome.stages.values())
    grown = bytes_per_cell(outcome, smallest)
    return [
        f"{outcome.expected / 1e6:g} million",
        *(
            f"{stage.seconds:.1f} ({stage.cpu_seconds:.1f})"
            for stage in map(outcome.stages.get, STAGES)
            if stage
        ),
        f"{wall:.1f} ({cpu:.1f})",
        f"{1e6 * cpu / outcome.expected:.1f}",
        f"{outcome.memory / MIB:.0f}",
        "" if grown is None else f"{grown:.0f}",
        f"{outcome.geojson_bytes / 1e6:.0f}",
        f"{outcome.found - outcome.expected:+d}",
    ]


STAGES = ("read, stitch", "GeoJSON", "tables", "overview")
HEAD = ("cells", *STAGES, "all", "µs/cell", "peak MiB", "bytes/cell", "file MB", "lost or doubled")


@click.command()
@click.option(
    "--cells", type=Numbers(fractions=True), default="1,3,10", show_default=True, help="Sizes, in millions."
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="For temporary files: 3 GB.")
def main(cells: list[float], folder: Path | None) -> None:
    """Print seconds by the clock (and of the processor), and memory, by number of cells."""
    outcomes = []
    for millions in cells:
        count = round(millions * 1e6)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            in_fresh_process(prepare, Path(temporary), count)
            outcomes.append(in_fresh_process(finish, Path(temporary), count))
    print(machine())
    print(
        "seconds by the clock (of the processor); bytes/cell: growth of the peak against the smallest size\n"
    )
    print(table(HEAD, [row(outcome, outcomes[0]) for outcome in outcomes]))


if __name__ == "__main__":
    main()
