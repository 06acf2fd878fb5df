"""The figures of the whole program on a GPU, from what its commands leave."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest


def results(
    folder: Path,
    name: str,
    xy: list[tuple[float, float]],
    *,
    classes: list[str] | None = None,
    seconds: float = 8.0,
) -> None:
    """What a run leaves that the stage reads: 2 mm² of tissue at 0.25 µm/px, a model at 0.5."""
    own = folder / name
    own.mkdir(parents=True)
    kinds = classes or ["Positive"] * len(xy)
    cells = [
        {"geometry": {"coordinates": place}, "properties": {"classification": {"name": kind}}}
        for place, kind in zip(xy, kinds, strict=True)
    ]
    (own / "cells.geojson.gz").write_bytes(gzip.compress(json.dumps({"features": cells}).encode()))
    (own / "ki67.json").write_text(json.dumps({"mpp": 0.25}))
    (folder / "run.json").write_text(json.dumps({"configuration": {"model_mpp": 0.5}}))
    row = f"{name},done,{len(xy)},2.0,{seconds}"
    (folder / "summary.csv").write_text(f"slide,status,total,area_mm2,seconds\n{row}\n")


STAGES = """
| stage             | tiles/s | × network |
| ----------------- | ------: | --------: |
| read, 1 thread    |    25.0 |       0.6 |
| network           |    50.0 |       1.0 |
| network and peaks |    40.0 |       0.8 |
| store             | 1,000.0 |      20.0 |
"""


def test_slide_figures(gpu_scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slide = gpu_scripts("slide")
    pack = tmp_path / "pack"
    places = [(10.0, 10.0), (50.0, 10.0), (90.0, 10.0), (130.0, 10.0)]
    results(pack / "expected", "a.tif", places)
    (pack / "slide").mkdir()
    (pack / "expected" / "a.tif" / "cells.geojson.gz").rename(pack / "slide" / "cells.geojson.gz")
    for name in ("a.tif", "run.json"):
        (pack / "slide" / name).write_text("")
    asked: list[tuple[str, list[str]]] = []

    def python(parts: Any, name: str, words: list[object]) -> tuple[str, float]:
        asked.append((name, list(map(str, words))))
        if name == "stages":
            return STAGES, 9.0
        if name == "workers-2":
            raise RuntimeError("failed after 1 s: no memory")
        if (
            name == "carried"
        ):  # the second cell is as far away as may be, the third farther, the fourth of another class
            xy = [(10.0, 10.0), (54.0, 10.0), (90.0, 14.1), (130.0, 10.0)]
            results(parts.work / name, "a.tif", xy, classes=["Positive"] * 3 + ["Negative"])
        elif name.startswith("workers"):
            results(parts.work / name, "made.tif", places)
        return "made.tif: 300 tiles\nmade.tif: 50 % positive of 4 cells (1/1) [39.5 tiles/s]\n", 12.0

    monkeypatch.setattr(slide.Parts, "python", python)
    parts = slide.Parts(tmp_path, tmp_path / "figures.json", time.monotonic() + 100)
    assert slide.measure(parts, pack, "cuda", smoke=False) is False  # two workers failed
    found = json.loads((tmp_path / "figures.json").read_text())
    assert found["cells"] == {
        "cells": 4,
        "cells_on_cpu": 4,
        "matched_share": 0.75,
        "matched_with_same_class_share": 0.5,
        "radius_level0_px": 4.0,
    }
    one = found["workers-1"]
    assert (one["tiles"], one["cells"], one["computing_tiles_per_second"]) == (300, 4, 39.5)
    assert (one["seconds_per_mm2_all_in"], one["seconds_per_mm2_of_slide"]) == (6.0, 4.0)
    assert (one["network_seconds"], one["wall_by_network"], one["slide_by_network"]) == (7.5, 1.6, 1.067)
    assert found["workers-2"] == {"failed": "RuntimeError: failed after 1 s: no memory"}
    assert found["workers-4"]["cells_sha256"] == one["cells_sha256"]
    assert found["summary"] == (
        "75.00% of 4 cells as on the CPU; 1 worker 6.000 s/mm² all in (slide 1.07, wall 1.60 × network); "
        "4 workers 6.000 s/mm² all in (slide 1.07, wall 1.60 × network); "
        "slowest beside the network: read, 1 thread, 25.0 tiles/s; workers-2 failed"
    )
    made = dict(asked)["make"]
    side = int(made[made.index("--side") + 1])
    assert (side * 0.25 / 0.3125 / 896) ** 2 == pytest.approx(8 * 40, rel=0.05)  # tiles of eight seconds
