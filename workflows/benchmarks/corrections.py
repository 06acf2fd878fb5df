"""How long a slide takes to be scored again after a correction: the corrections applied to its cells, and its result.

    python workflows/benchmarks/corrections.py [--cells 0.3,1,3]

A slide of 5000 cells/mm² with a broad hotspot. Of its record: 1,000 cells flipped one by one, 2 % deleted by a lasso, 500
added, three areas excluded, a region drawn, a threshold.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import click
import numpy as np
from hotspots import CHANCES, PER_MM2, made_slide
from measuring import Numbers, in_fresh_process, machine, spent, table
from shapely import Point, box

from wsi_edt.corrections import (
    Add,
    Delete,
    Exclude,
    Flip,
    MakeRegion,
    NamedCells,
    Record,
    Threshold,
    corrected,
)
from wsi_edt.ki67 import Conventions, SlideFindings, assess
from wsi_edt.ki67.findings import with_regions
from wsi_edt.slides.quality import MEASURES, SlideQuality

RUNS = 5


def made_record(findings: SlideFindings) -> Record:
    """The corrections of a long session."""
    cells, rng = findings.cells, np.random.default_rng(0)
    flipped = rng.choice(len(cells), 1000, replace=False).tolist()
    middle = len(cells) // 2
    lasso = list(range(middle, middle + len(cells) // 50))
    width = float(cells.x.max())
    added = [Add(x, y, "Positive") for x, y in rng.uniform(0, width / 2, (500, 2)).tolist()]
    return Record().with_new(
        [
            *(Flip(NamedCells.of(cells, [one])) for one in flipped),
            Delete(NamedCells.of(cells, lasso)),
            *added,
            *(Exclude(Point(width * share, width / 3).buffer(width / 20)) for share in (0.2, 0.4, 0.6)),
            MakeRegion("core", box(width / 4, width / 8, width / 2, width / 4)),
            Threshold(0.3),
        ],
        who="benchmark",
        when=datetime.now(UTC),
    )


def speed(millions: float) -> list[str]:
    """A row of the table: the medians of some runs."""
    _, findings = made_slide(millions * 1e6 / PER_MM2, CHANCES["a slope, 10 to 30 %"], 1)
    findings = replace(findings, quality=SlideQuality(dict.fromkeys(one.name for one in MEASURES)))
    record = made_record(findings)
    applied, scored, both = [], [], []
    for _ in range(RUNS):
        with spent() as applying:
            left = corrected(findings.cells, record, threshold=0.2)
        with spent() as scoring:
            after = with_regions(replace(findings, cells=left.cells), left.regions, restrict=False)
            assess(after, Conventions(), at_once=True)
        applied.append(applying.seconds)
        scored.append(scoring.seconds)
        both.append(applying.cpu_seconds + scoring.cpu_seconds)
    times = [f"{np.median(values):.2f}" for values in (applied, scored, both)]
    return [f"{millions:g} million", *times]


SPEED = ("cells", "applied, s", "scored, s", "both, CPU s")


@click.command()
@click.option(
    "--cells", type=Numbers(fractions=True), default="0.3,1,3", show_default=True, help="Sizes, in millions."
)
def main(cells: list[float]) -> None:
    """Print the table."""
    print(machine())
    print(f"medians of {RUNS} runs\n")
    print(table(SPEED, [in_fresh_process(speed, millions) for millions in cells]))


if __name__ == "__main__":
    main()
