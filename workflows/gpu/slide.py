"""The stage `slide`: the whole program on slides. Its cells against the CPU's, its time against the network's.

Each part's figures are written as soon as it ends; one that fails doesn't stop the next.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from supervise import Stopped, markdown_tables, run_within, stoppable, write_figures

from wsi_edt.evaluation import match_points

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "workflows" / "benchmarks"
CLI = "from wsi_edt.cli.main import main; main()"
SAME_MODEL_PX = 2.0  # cells no farther apart than this are the same
MADE_MPP = 0.25
NETWORK_SECONDS = 8.0  # of the made slide: starting shouldn't be all that is measured
MOST_SIDE_PX = 40_000
COUNTS = (1, 2, 4)
LAST_SECONDS = 5.0  # of the stage's
CORE_PX, MODEL_MPP = 896, 0.3125  # of a tile of 1024 px; only to choose the slide's size


@dataclass(slots=True)
class Parts:
    """Runs commands and collects figures.

    Attributes
    ----------
    work : folder for all files
    figures : the file of the figures
    end : of the stage, monotonic seconds
    found : the figures so far
    """

    work: Path
    figures: Path
    end: float
    found: dict[str, object] = field(default_factory=dict)

    def part(self, name: str, measure: Callable[[], object]) -> object:
        """A part's figures, written at once; None if it failed, and then the reason is written."""
        try:
            result = measure()
        except Exception as error:  # whatever it is, the next part goes on
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
            self.found[name] = {"failed": f"{type(error).__name__}: {error}"}
            result = None
        else:
            self.found[name] = result
        self.found["summary"] = summary_of(self.found)
        write_figures(self.figures, self.found)
        return result

    def python(self, name: str, words: Sequence[object]) -> tuple[str, float]:
        """What a Python command printed, and its seconds; raises RuntimeError if it failed."""
        log = self.work / f"{name}.log"
        left = self.end - time.monotonic()
        ended = run_within([sys.executable, *map(str, words)], left, log=log, folder=ROOT)
        text = log.read_text(encoding="utf-8", errors="replace")
        print(f"--- {name}: {ended.status} in {ended.seconds:.1f} s\n{text}", flush=True)
        if ended.status != "done":
            lines = [line for line in text.splitlines() if line.strip()]
            raise RuntimeError(f"{ended.status} after {ended.seconds:.0f} s: {lines[-1] if lines else ''}")
        return text, ended.seconds


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a run of the program left.

    Attributes
    ----------
    seconds : of the command, by the clock
    printed : its output
    folder : of the results
    slide : the slide's name
    """

    seconds: float
    printed: str
    folder: Path
    slide: str

    @property
    def row(self) -> dict[str, str]:
        """The slide's row of the summary."""
        with (self.folder / "summary.csv").open(newline="", encoding="utf-8") as file:
            return next(csv.DictReader(file))

    @property
    def tiles(self) -> int:
        """How many tiles the slide was cut into."""
        found = re.search(r": ([\d,]+) tiles?\b", self.printed)
        return int(found[1].replace(",", "")) if found else 0

    def figures(self) -> dict[str, object]:
        """Seconds, and seconds per mm² of tissue, everything included."""
        area = float(self.row["area_mm2"])
        rate = re.search(r"\[([\d.,]+) tiles/s\]", self.printed)
        content = (self.folder / self.slide / "cells.geojson.gz").read_bytes()
        return {
            "wall_seconds": round(self.seconds, 2),
            "slide_seconds": float(self.row["seconds"]),
            "tissue_mm2": area,
            "tiles": self.tiles,
            "cells": int(self.row["total"]),
            "seconds_per_mm2_all_in": round(self.seconds / area, 4),
            "seconds_per_mm2_of_slide": round(float(self.row["seconds"]) / area, 4),
            "computing_tiles_per_second": float(rate[1].replace(",", "")) if rate else None,
            "cells_sha256": hashlib.sha256(gzip.decompress(content)).hexdigest()[:16],
        }


def run_program(parts: Parts, name: str, slide: Path, device: str, *options: object) -> Run:
    """Run wsi-edt on a slide, with its own results folder."""
    out = parts.work / name
    words = ["-c", CLI, "run", slide, "--out", out, "--device", device, "--gzip", *options]
    printed, seconds = parts.python(name, words)
    return Run(seconds, printed, out, slide.name)


def cells_of(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.str_]]:
    """Cells of a GeoJSON: (N, 2) level-0 px, and their classes."""
    features = json.loads(gzip.decompress(path.read_bytes()))["features"]
    xy = np.array([one["geometry"]["coordinates"] for one in features], np.float64).reshape(-1, 2)
    return xy, np.array([one["properties"]["classification"]["name"] for one in features], np.str_)


def agreement(run: Run, expected: Path) -> dict[str, object]:
    """How many of a run's cells agree with a file of the same slide's cells."""
    found = json.loads((run.folder / run.slide / "ki67.json").read_bytes())
    model_mpp = json.loads((run.folder / "run.json").read_bytes())["configuration"]["model_mpp"]
    radius = SAME_MODEL_PX * model_mpp / found["mpp"]
    (xy, classes), (others, other_classes) = (
        cells_of(run.folder / run.slide / expected.name),
        cells_of(expected),
    )
    pairs = match_points(xy, others, radius_px=radius)
    same = int((classes[pairs[:, 0]] == other_classes[pairs[:, 1]]).sum())
    most = max(len(xy), len(others), 1)
    return {
        "cells": len(xy),
        "cells_on_cpu": len(others),
        "matched_share": round(len(pairs) / most, 5),
        "matched_with_same_class_share": round(same / most, 5),
        "radius_level0_px": round(radius, 2),
    }


def stage_rates(parts: Parts, device: str, *, smoke: bool) -> list[dict[str, str]]:
    """The table that workflows/benchmarks/stages.py prints."""
    sizes = ["--tiles", 4, "--tile-px", 256, "--batch-size", 2] if smoke else ["--tiles", 64]
    printed, _ = parts.python("stages", [BENCHMARKS / "stages.py", "--device", device, *sizes])
    rows = markdown_tables(printed)
    if not rows:
        raise RuntimeError("stages.py printed no table")
    return rows


def tiles_per_second(rows: Sequence[dict[str, str]]) -> float | None:
    """The rate of the network with its peaks, or else of the network."""
    named = {row.get("stage", ""): row for row in rows}
    for name in ("network and peaks", *(name for name in named if name.startswith("network"))):
        if name in named:
            return float(named[name]["tiles/s"].replace(",", ""))
    return None


def side_of_slide(rate: float | None, *, smoke: bool) -> int:
    """The side, in level-0 px, of a slide that keeps the network busy for about `NETWORK_SECONDS`."""
    if smoke:
        return 1024
    tiles = NETWORK_SECONDS * (rate or 20.0)
    return min(MOST_SIDE_PX, round(math.sqrt(tiles) * CORE_PX * MODEL_MPP / MADE_MPP / 256) * 256)


def with_workers(
    parts: Parts, slide: Path, device: str, *options: object, count: int, rate: float | None
) -> dict[str, object]:
    """A run with that many worker processes, against the network's own time for its tiles."""
    run = run_program(parts, f"workers-{count}", slide, device, *options, "--workers", count)
    figures = run.figures()
    if rate:
        figures["network_seconds"] = round(run.tiles / rate, 2)
        figures["wall_by_network"] = round(run.seconds * rate / run.tiles, 3)
        figures["slide_by_network"] = round(float(run.row["seconds"]) * rate / run.tiles, 3)
    return figures


def summary_of(found: dict[str, object]) -> str:
    """The most important figures in one line."""
    words = []
    same = found.get("cells")
    if isinstance(same, dict) and "matched_share" in same:
        words.append(f"{same['matched_share']:.2%} of {same['cells_on_cpu']:,} cells as on the CPU")
    for name, one in found.items():
        if name.startswith("workers") and isinstance(one, dict) and "wall_seconds" in one:
            count = name.partition("-")[2]
            text = f"{count} worker{'s' * (count != '1')} {one['seconds_per_mm2_all_in']:.3f} s/mm² all in"
            if "slide_by_network" in one:
                text += f" (slide {one['slide_by_network']:.2f}, wall {one['wall_by_network']:.2f} × network)"
            words.append(text)
    rows = found.get("stages")
    if isinstance(rows, list):
        others = [row for row in rows if not row.get("stage", "").startswith("network")]
        slowest = sorted(others, key=lambda row: float(row["tiles/s"].replace(",", "")))[:1]
        words += [f"slowest beside the network: {row['stage']}, {row['tiles/s']} tiles/s" for row in slowest]
    words += [f"{name} failed" for name, one in found.items() if isinstance(one, dict) and "failed" in one]
    return "; ".join(words)


def measure(parts: Parts, pack: Path, device: str, *, smoke: bool) -> bool:
    """Measure all parts; whether each succeeded."""
    expected = pack / "slide" / "cells.geojson.gz"
    carried = next(path for path in sorted(expected.parent.iterdir()) if path.suffix not in (".gz", ".json"))
    model = ["--model", pack / "init"] if (pack / "init").is_dir() else []
    # OpenVINO found the carried cells on a CPU, and a batch is padded there.
    small = ["--runtime", "torch", "--batch-size", 1] if smoke else []
    parts.part(
        "cells", lambda: agreement(run_program(parts, "carried", carried, device, *model, *small), expected)
    )
    rows = parts.part("stages", lambda: stage_rates(parts, device, smoke=smoke))
    rate = tiles_per_second(rows) if isinstance(rows, list) else None
    made = parts.work / "made.tif"
    side = side_of_slide(rate, smoke=smoke)
    words = [BENCHMARKS / "make_slide.py", made, "--side", side, "--mpp", MADE_MPP]
    if parts.part("slide", lambda: parts.python("make", words)[0].strip()) is not None:
        seconds = 0.0
        for count in COUNTS[:1] if smoke else COUNTS:
            if time.monotonic() + seconds > parts.end:
                parts.part(f"workers-{count}", lambda: {"skipped": "no time was left"})
                continue
            began = time.monotonic()
            measure = partial(with_workers, parts, made, device, *small, count=count)
            parts.part(f"workers-{count}", partial(measure, rate=None if smoke else rate))
            seconds = time.monotonic() - began
    return not any(isinstance(one, dict) and "failed" in one for one in parts.found.values())


def main() -> int:
    """Measure; 0 if every part succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--figures", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    parts = Parts(options.work, options.figures, time.monotonic() + options.seconds - LAST_SECONDS)
    try:
        with stoppable():
            well = measure(parts, options.pack, options.device, smoke=options.smoke)
    except Stopped:
        return 1
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
