"""What it saves to keep a slide open between its shards, on this machine's disk and on s3:// from a local server.

    python workflows/benchmarks/opening.py [--side 20000] [--s3-side 8000] [--delay-ms 20]

Tiles are read as a worker reads them (two shards at a time, two reading threads each) and given to a network that finds
nothing. Once each shard opens the slide itself, once the slides are kept open. The s3:// part needs moto[server] and s3fs;
its server runs in a process of its own and keeps the slide in memory, and moto reads all of it for each request: a large
slide makes the server slow, not the reading.
"""

from __future__ import annotations

import logging
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from make_slide import Mosaic, read_picture, write_slide
from measuring import Spent, machine, spent, table
from upath import UPath

from wsi_edt.detection.shards import detect_shard
from wsi_edt.geometry import Scale
from wsi_edt.maps import Peaks
from wsi_edt.slides import KeptSlides, Opener, Shard, Slide, SlideKey, SlideSource, TileGrid, shards

SLIDE_MPP, MODEL_MPP = 0.25, 0.3125
AT_A_TIME, READERS, BATCH = 2, 2, 4
BUCKET, KEY = "slides", "made.tif"
HEAD = ("slide", "shards", "opened", "opens", "s opening", "requests", "s", "CPU s", "× faster")


def nothing(images: npt.NDArray[np.uint8]) -> list[Peaks]:
    """(B, H, W, 3) uint8 RGB → no peaks for each tile: a network that finds nothing."""
    none = np.zeros(0, np.int32)
    return [Peaks(none, none, np.zeros(0, np.float32), np.zeros(0, np.uint8)) for _ in images]


@dataclass(frozen=True)
class CountedSource(SlideSource):
    """A slide that notes how many seconds each opening took."""

    seconds: list[float] = field(default_factory=list, compare=False)

    def open(self) -> Slide:
        """The slide, opened."""
        begun = time.perf_counter()
        slide = super().open()
        self.seconds.append(time.perf_counter() - begun)
        return slide


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading some shards took.

    Attributes
    ----------
    spent : by the clock, and of the processor in this process
    opens : seconds of each opening
    requests : to a server
    """

    spent: Spent
    opens: tuple[float, ...]
    requests: int


def read_shards(source: CountedSource, blocks: Sequence[Shard], *, opener: Opener) -> Spent:
    """Read the shards as a worker does; what it took."""

    def one(block: Shard) -> None:
        detect_shard(
            block,
            nothing,
            source=source,
            model_mpp=MODEL_MPP,
            batch_size=BATCH,
            readers=READERS,
            opener=opener,
        )

    with spent() as taken, ThreadPoolExecutor(AT_A_TIME) as threads:
        list(threads.map(one, blocks))
    return taken


def measured(
    source: SlideSource, blocks: Sequence[Shard], *, keep: bool, requests: Callable[[], int]
) -> Reading:
    """What it takes to read the shards, with the slide kept open or opened anew for each shard."""
    counted = CountedSource(source.path, source.fallback_mpp)
    before = requests()
    if keep:
        kept = KeptSlides(most=AT_A_TIME * READERS)
        taken = read_shards(counted, blocks, opener=lambda given: kept.lent(SlideKey(given, "")))
        kept.close()
    else:
        taken = read_shards(counted, blocks, opener=lambda given: given.open())
    return Reading(taken, tuple(counted.seconds), requests() - before)


def rows_of(
    name: str, source: SlideSource, *, most_shards: int, repeats: int, requests: Callable[[], int]
) -> list[list[str]]:
    """Two rows of the table: of the repeats, which take turns, the quickest."""
    with source.open() as slide:
        extent = Scale(SLIDE_MPP, MODEL_MPP).model_extent(*slide.dimensions)
    blocks = shards(TileGrid(extent), None)[:most_shards]
    turns = [
        {keep: measured(source, blocks, keep=keep, requests=requests) for keep in (False, True)}
        for _ in range(repeats)
    ]
    best = {
        keep: min((turn[keep] for turn in turns), key=lambda one: one.spent.seconds) for keep in (False, True)
    }
    return [
        [
            name,
            str(len(blocks)),
            "once and kept" if keep else "for each shard",
            str(len(one.opens)),
            f"{sum(one.opens):.2f}",
            str(one.requests),
            f"{one.spent.seconds:.2f}",
            f"{one.spent.cpu_seconds:.2f}",
            f"{best[False].spent.seconds / one.spent.seconds:.2f}",
        ]
        for keep, one in best.items()
    ]


def make(path: Path, side: int) -> Path:
    """A slide of that many px a side, all of it tissue."""
    write_slide(path, Mosaic.of(read_picture(None), width=side, height=side), mpp=SLIDE_MPP)
    return path


def serve(ready: Connection, requests: Any, delay: float) -> None:  # noqa: ANN401 - a shared number
    """Serve S3 until the process is stopped; sends its port, and counts the requests."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    application = DomainDispatcherApplication(create_backend_app)

    def counted(environ: Any, start_response: Any) -> Any:  # noqa: ANN401 - WSGI's
        with requests.get_lock():
            requests.value += 1
        time.sleep(delay)
        return application(environ, start_response)

    server = make_server("127.0.0.1", 0, counted, threaded=True)
    ready.send(server.port)
    server.serve_forever()


@contextmanager
def on_s3(slide: Path, *, delay: float) -> Iterator[tuple[UPath, Callable[[], int]]]:
    """The slide's URL on a server of its own, and how many requests that has had."""
    context = multiprocessing.get_context("spawn")
    requests = context.Value("q", 0)
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there, requests, delay), daemon=True)
    server.start()
    try:
        address = f"http://127.0.0.1:{here.recv()}"
        endpoint = {"endpoint_url": address}
        url = UPath(f"s3://{BUCKET}/{KEY}", key="test", secret="test", client_kwargs=endpoint)
        url.fs.mkdir(BUCKET)
        url.fs.put_file(str(slide), f"{BUCKET}/{KEY}")
        yield url, lambda: int(requests.value)
    finally:
        server.terminate()
        server.join()


def missing_packages() -> list[str]:
    """What has to be installed for the s3:// part."""
    missing = []
    for package, module in (("moto[server]", "moto.moto_server.werkzeug_app"), ("s3fs", "s3fs")):
        try:
            __import__(module)
        except ImportError:
            missing.append(package)
    return missing


@click.command()
@click.option("--side", type=click.IntRange(2048), default=20_000, show_default=True, help="Level-0 px.")
@click.option("--s3-side", type=click.IntRange(2048), default=8_000, show_default=True, help="Level-0 px.")
@click.option(
    "--shards", "most_shards", type=click.IntRange(1), default=12, show_default=True, help="At most."
)
@click.option("--repeats", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--delay-ms",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="What the server waits before each answer, as one far away does.",
)
@click.option("--local-only", is_flag=True, help="Leave s3:// out.")
def main(side: int, s3_side: int, most_shards: int, repeats: int, delay_ms: float, local_only: bool) -> None:
    """Print what keeping a slide open saves."""
    lines: list[list[str]] = []
    missing = [] if local_only else missing_packages()
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder) / "local.tif", side)
        name = f"{side:,} px, {path.stat().st_size / 1e6:.0f} MB, disk"
        lines += rows_of(
            name, SlideSource(path), most_shards=most_shards, repeats=repeats, requests=lambda: 0
        )
        if not (local_only or missing):
            path = make(Path(folder) / "remote.tif", s3_side)
            name = f"{s3_side:,} px, {path.stat().st_size / 1e6:.0f} MB, s3://"
            with on_s3(path, delay=delay_ms / 1000) as (url, requests):
                lines += rows_of(
                    name, SlideSource(url), most_shards=most_shards, repeats=repeats, requests=requests
                )
    print(machine())
    print(
        f"{AT_A_TIME} shards at a time, {READERS} reading threads each; the server waits {delay_ms:g} ms before "
        "each answer\n"
    )
    print(table(HEAD, lines))
    if missing:
        print(f"\ns3:// wasn't measured: pip install {' '.join(missing)}")


if __name__ == "__main__":
    main()
