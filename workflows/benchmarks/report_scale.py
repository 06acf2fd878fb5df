"""What `wsi-edt report` takes on a slide of many cells, all in all and by stage, in seconds and memory.

    python workflows/benchmarks/report_scale.py [--cells 1] [--folder FOLDER]

A slide of glass gets nuclei on a jittered lattice, as in cells_scale.py, with clusters of positive ones; its store is
finished as a run would finish it. Then a fresh process each reports it again: by the same rules, with a profile and larger
hotspots, with a higher threshold, and by 20 regions alone. A last one does the same stage by stage.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import numpy as np
from cells_scale import OPTIONS, PITCH_PX, tile_peaks
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

from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.ki67 import Conventions, assess
from wsi_edt.ki67.areas import areas_of
from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.four_fields import count_fields
from wsi_edt.ki67.heterogeneity import measure_heterogeneity
from wsi_edt.ki67.hotspots import find_hotspots
from wsi_edt.ki67.interval import index_interval
from wsi_edt.ki67.profiles import PROFILES
from wsi_edt.results import names
from wsi_edt.results.outputs import OutputOptions, outputs
from wsi_edt.results.seen import write_seen
from wsi_edt.results.store import SlideStore
from wsi_edt.run.finalise import finalise, seen_of
from wsi_edt.run.report import ReportOptions, report_slides
from wsi_edt.run.stored import stored_slides
from wsi_edt.slides import Tile

SLIDE = "cells.tif"
REGIONS = 20
BREAST = Conventions(profile=PROFILES["breast"], hotspots=HotspotRule(mm2=1.0, cells=2000))


@dataclass(frozen=True, slots=True)
class Taken:
    """What a call took: the time, and the most bytes that its process held."""

    time: Spent
    memory: int


def clustered(tile: Tile, *, count: int, side: int) -> TilePeaks:
    """What a tile finds; 5 % of the nuclei are positive, and half of those in one of five blocks of 2000 x 3000 px."""
    peaks = tile_peaks(tile, count=count, side=side)
    x, y = peaks.x.astype(np.int64), peaks.y.astype(np.int64)
    dense = (x // 2000 + y // 3000) % 5 == 0
    positive = (x // 40 * 7919 + y // 40 * 104_729) % 100 < np.where(dense, 50, 5)
    return replace(peaks, class_id=positive.astype(np.uint8))


def prepare(folder: Path, count: int) -> Taken:
    """Make a slide and its store, and finish it as a run does after the last shard, which is what is measured."""
    settings = resolved(replace(OPTIONS, output=OutputOptions(parquet=True)))
    side = math.isqrt(count - 1) + 1
    width = side * PITCH_PX + PITCH_PX
    mosaic = Mosaic.of(read_picture(None), width=width, height=width, tissue=1 / width)
    write_slide(folder / SLIDE, mosaic, mpp=settings.cells.model_mpp)
    plan = planned(folder / SLIDE, settings)
    results = folder / "out" / SLIDE
    store = SlideStore.create(results / names.STORE, plan.header)
    write_seen(store.path, seen_of(plan, settings))
    for shard in plan.shards:
        found = [clustered(tile, count=count, side=side) for tile in shard.tiles]
        store.write_shard(shard, TilePeaks.concatenate(found), seconds=1.0)
    (results / names.TISSUE).write_bytes(b"")
    _write_regions(folder / "regions.geojson", width)
    with spent() as taken:
        finalise(plan, store, results, settings)
    return Taken(taken, peak_memory())


def _write_regions(path: Path, width: int) -> None:
    """Squares down the slide's diagonal, each a 40th of it wide."""
    features = []
    for number in range(REGIONS):
        low, high = (int(width * (number + part) / REGIONS) for part in (0.25, 0.75))
        ring = [[low, low], [high, low], [high, high], [low, high], [low, low]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "geometry": shape, "properties": {"name": f"region {number}"}})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def reported(folder: Path, options: ReportOptions) -> Taken:
    """Report the slide again."""
    with spent() as taken:
        (row,) = report_slides(folder / "out", options).rows
    assert row.error is None, row.error
    return Taken(taken, peak_memory())


def in_breast(before: Conventions) -> Conventions:
    """Rules other than those of the run."""
    return BREAST


def stages(folder: Path) -> list[tuple[str, Taken]]:
    """What the steps of a report take, one after another."""
    taken: list[tuple[str, Taken]] = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        with spent() as time:
            yield
        taken.append((name, Taken(time, peak_memory())))

    with stage("what was seen"):
        (slide,) = stored_slides(folder / "out")
    with stage("cells"):
        findings = slide.findings()
    whole = next(iter(areas_of(findings)))
    steps: dict[str, Callable[[], object]] = {
        "  interval": partial(index_interval, whole.cells, mm_per_px=slide.header.slide_mpp / 1000),
        "  hotspots": partial(find_hotspots, whole, findings, slide.conventions),
        "  four fields": partial(count_fields, whole, findings, slide.conventions),
        "  heterogeneity": partial(measure_heterogeneity, whole, findings),
    }
    for name, step in steps.items():
        with stage(name):
            step()
    with stage("all numbers"):
        result = assess(findings, slide.conventions)
    for output in outputs(slide.output):
        with stage(output.name):
            output.write(slide.folder, findings, result)
    return taken


CALLS = {
    "report": ReportOptions(),
    "report --profile breast --hotspot-mm2 1": ReportOptions(in_breast),
    "report --threshold 0.5": ReportOptions(threshold=0.5),
}


def row(name: str, taken: Taken) -> list[str]:
    """A row of the table."""
    return [name, f"{taken.time.seconds:.1f} ({taken.time.cpu_seconds:.1f})", f"{taken.memory / MIB:.0f}"]


@click.command()
@click.option(
    "--cells", type=Numbers(fractions=True), default="1", show_default=True, help="Sizes, in millions."
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="For temporary files: 1 GB.")
def main(cells: list[float], folder: Path | None) -> None:
    """Print seconds by the clock (and of the processor), and memory."""
    print(machine())
    for millions in cells:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            place = Path(temporary)
            rows = [row("a run's end", in_fresh_process(prepare, place, round(millions * 1e6)))]
            calls = CALLS | {
                f"report --roi ({REGIONS} regions)": ReportOptions(roi=place / "regions.geojson")
            }
            by_stage = in_fresh_process(stages, place)
            rows += [row(name, in_fresh_process(reported, place, options)) for name, options in calls.items()]
        print(
            f"\n{millions:g} million cells; seconds by the clock (of the processor), peak MiB of the process\n"
        )
        print(table(("call", "seconds", "MiB"), rows))
        print()
        print(table(("stage of a report", "seconds", "MiB so far"), [row(*one) for one in by_stage]))


if __name__ == "__main__":
    main()
