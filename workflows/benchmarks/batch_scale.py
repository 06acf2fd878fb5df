"""How the client's memory and its time per slide change with the number of slides; the network costs nothing.

    python workflows/benchmarks/batch_scale.py [--slides 10,100,1000] [--side 800]

The slides are one file under many names. Each goes through the whole run, from planning to report, with one worker
whose network is a stub.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click
from make_slide import Mosaic, read_picture, write_slide
from measuring import MIB, Numbers, in_fresh_process, machine, resolved, table
from slide_scale import OPTIONS, run

HEAD = ("slides", "seconds", "ms/slide", "client MiB", "worker MiB", "KiB for each further slide")


def make(path: Path, side: int) -> None:
    """Make the slide: a square of tissue."""
    mosaic = Mosaic.of(read_picture(None), width=side, height=side)
    write_slide(path, mosaic, mpp=resolved(OPTIONS).cells.model_mpp)


def measured(slide: Path, count: int, folder: Path) -> tuple[float, int, int]:
    """Seconds, and the most bytes of memory that the client and the worker held, for that many slides."""
    slides = folder / "slides"
    slides.mkdir()
    for number in range(count):
        os.link(slide, slides / f"{number:06}.tif")
    seconds, _, client, worker = in_fresh_process(run, slides, folder / "out")
    return seconds, client, worker


@click.command()
@click.option("--slides", type=Numbers(), default="10,100,1000", show_default=True, help="How many.")
@click.option("--side", type=click.IntRange(64), default=800, show_default=True, help="Level-0 px.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="For temporary files.")
def main(slides: list[int], side: int, folder: Path | None) -> None:
    """Print time and memory by the number of slides."""
    rows: list[list[str]] = []
    fewest = (0, 0)  # slides, the client's bytes
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        slide = Path(temporary) / "slide.tif"
        in_fresh_process(make, slide, side)
        for count in slides:
            with tempfile.TemporaryDirectory(dir=temporary) as own:
                seconds, client, worker = measured(slide, count, Path(own))
            grown = (client - fewest[1]) / (count - fewest[0]) / 1024 if rows else None
            fewest = fewest if rows else (count, client)
            rows.append(
                [
                    f"{count:,}",
                    f"{seconds:.0f}",
                    f"{1000 * seconds / count:.0f}",
                    f"{client / MIB:.0f}",
                    f"{worker / MIB:.0f}",
                    "" if grown is None else f"{grown:.0f}",
                ]
            )
    print(machine())
    print(
        f"slides of {side:,} × {side:,} px at {resolved(OPTIONS).cells.model_mpp:g} µm/px, all of it tissue\n"
    )
    print(table(HEAD, rows))


if __name__ == "__main__":
    main()
