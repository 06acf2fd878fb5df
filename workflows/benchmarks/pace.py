"""What the benchmarks of whole runs share: their options, a slide to run on, and a run's pace once it is under way."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import orjson
from make_slide import Mosaic, read_picture, write_slide

from wsi_edt.bundles import find_bundle
from wsi_edt.cluster.local import shards_each
from wsi_edt.cluster.machine import this_machine
from wsi_edt.detection.compute import ComputeOptions
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.run import RunOptions, run_slides
from wsi_edt.run.progress import NoProgress

SLIDE_MPP = (
    0.25  # of the slide that is made; like most scanners', another than the model's: tiles are resampled
)


@dataclass(slots=True)
class Pace(NoProgress):
    """Notes when shards were stored.

    Attributes
    ----------
    stored_at : for each shard, the clock's seconds and its tiles
    rows : of the slides that ended
    """

    stored_at: list[tuple[float, int]] = field(default_factory=list)
    rows: list[SummaryRow] = field(default_factory=list)

    def stored(self, slide: str, *, tiles: int, cells: int) -> None:
        """Note a shard."""
        self.stored_at.append((time.perf_counter(), tiles))

    def ended(self, row: SummaryRow) -> None:
        """Note a slide."""
        self.rows.append(row)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run that has ended.

    Attributes
    ----------
    tiles : of all shards
    seconds : of the whole call, starting and writing included, by the clock
    tile_seconds : the clock's seconds per tile while shards were computed
    xy : (N, 2) cells in level-0 px
    """

    tiles: int
    seconds: float
    tile_seconds: float
    xy: npt.NDArray[np.float64]


def seconds_per_tile(stored_at: list[tuple[float, int]], at_once: int) -> float:
    """Seconds a tile once all workers are at work: from the moment when each may have stored its first shards.

    Parameters
    ----------
    stored_at : for each shard the second in which it was stored, and its tiles
    at_once : how many are computed at a time
    """
    ordered = sorted(stored_at)
    if len(ordered) <= at_once:
        raise click.UsageError(
            f"the slide has {len(ordered)} shards, and {at_once} are computed at a time: too few to measure a pace; pass "
            "more --tiles"
        )
    begun = ordered[at_once - 1][0]
    return (ordered[-1][0] - begun) / sum(tiles for _, tiles in ordered[at_once:])


def run(slide: Path, options: RunOptions, *, workers: int = 1) -> Run:
    """Run on the slide as `wsi-edt run` does, into a temporary folder."""
    pace = Pace()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run_slides([slide], Path(folder), replace(options, workers=workers), progress=pace)
        seconds = time.perf_counter() - started
        if pace.rows[0].error is not None:
            raise click.ClickException(pace.rows[0].error)
        written = orjson.loads((Path(folder) / slide.name / names.CELLS).read_bytes())
    places = [feature["geometry"]["coordinates"] for feature in written["features"]]
    machine = this_machine(options.compute)
    at_once = workers * shards_each(machine.compute.device, machine.cores // workers)
    return Run(
        sum(tiles for _, tiles in pace.stored_at),
        seconds,
        seconds_per_tile(pace.stored_at, at_once),
        np.array(places, dtype=np.float64).reshape(-1, 2),
    )


@contextmanager
def slide_of(given: Path | None, options: RunOptions, *, tiles: int) -> Iterator[Path]:
    """The given slide, or else one that is made: JPEG, about that many tiles, all of it tissue."""
    if given is not None:
        yield given
        return
    bundle = find_bundle(options.model)
    core_px = options.tile_px - 2 * bundle.halo_px
    side = round(math.sqrt(tiles) * core_px * bundle.model_mpp / SLIDE_MPP)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.tif"
        write_slide(path, Mosaic.of(read_picture(None), width=side, height=side), mpp=SLIDE_MPP)
        yield path


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a benchmark that runs a network; it is called with `slide`, `tiles`, `options` and its own."""

    @wraps(command)  # its own options with it
    def with_options(
        slide: Path | None,
        tiles: int,
        model: str,
        mpp: float | None,
        tile_px: int,
        batch_size: int,
        device: str,
        runtime: str,
        precision: str,
        threads: int | None,
        **own: object,
    ) -> None:
        options = RunOptions(
            model=model,
            fallback_mpp=mpp,
            tile_px=tile_px,
            batch_size=batch_size,
            compute=ComputeOptions(device, runtime, precision, threads),
        )
        command(slide=slide, tiles=tiles, options=options, **own)

    decorated: Callable[..., None] = with_options
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


_DEFAULTS = RunOptions()
_OPTIONS = (
    click.argument("slide", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option("--tiles", type=click.IntRange(1), default=64, show_default=True, help="Of a made slide."),
    click.option("--model", default=_DEFAULTS.model, help="A shipped model's name, or a model's folder."),
    click.option("--mpp", type=float, help="µm/px of a slide that states none."),
    click.option("--tile-px", type=int, default=_DEFAULTS.tile_px, show_default=True),
    click.option("--batch-size", type=click.IntRange(1), default=_DEFAULTS.batch_size, show_default=True),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto"),
    click.option("--runtime", type=click.Choice(["auto", "torch", "openvino"]), default="auto"),
    click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]), default="auto"),
    click.option("--threads", type=click.IntRange(1)),
)
