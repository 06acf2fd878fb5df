"""Slides with names that files have, from discovery to the batch's page."""

from __future__ import annotations

import csv
import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

from tests.qupath.qupath_contract import check_geojson
from tests.stand_ins import MPP, Pool, make_settings, paint, write_slide
from wsi_edt.report.rows import Status
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import NoProgress

NAMES = [
    "-a b.png",
    "=cmd|' /c calc'!A1.png",
    "<script>alert(1)<",
    "script>.png",
    "\"double\" 'single'.png",
    "new\nline.png",
    "Ki-67 100 %23 #1?.png",
    "é ü 🔬.png",
    "report.html",
    "one/same.png",
    "two/same.png",
    "Two/same.png",
    "n" * 251 + ".png",
    "\udcff.png",
]


def test_every_name_has_its_results(tmp_path: Path) -> None:
    slides, out = tmp_path / "slides", tmp_path / "out"
    hostile = [f"folder/{name}" if name == "report.html" else name for name in NAMES]
    hostile = [name if name.endswith(".png") else f"{name}/x.png" for name in hostile]
    painted = write_slide(tmp_path / "painted.png", paint(2, width=240, height=100)).read_bytes()
    for name in hostile:
        (slides / name).parent.mkdir(parents=True, exist_ok=True)
        (slides / name).write_bytes(painted)
    for name in ("=broken.png", "\udcfe.png"):
        (slides / name).write_bytes(b"no picture")
    found = find_slides([slides], out=out, fallback_mpp=MPP).slides
    result = run_batch(found, out, settings=make_settings(), open_pool=Pool().opener, progress=NoProgress())

    assert len(result.rows) == len(hostile) + 2
    assert [row.slide for row in result.rows if row.status is Status.FAILED] == [
        "=broken.png",
        "\\xfe.png",
    ]
    counts = set()
    for row in result.rows:
        if row.status is Status.FAILED:
            continue
        counts.add(len(check_geojson(out / row.slide / "cells.geojson")))
        assert json.loads((out / row.slide / "ki67.json").read_text("utf-8"))["slide"] == row.slide
    assert len(counts) == 1, "all are one picture"
    assert counts.pop() > 10

    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["slide"].removeprefix("'") for row in rows] == [row.slide for row in result.rows]
    assert not any(re.match(r"[=+\-@\s]", value) for row in rows for value in row.values())

    page = (out / "report.html").read_text("utf-8")
    assert page.count("<script") == 1, "its own, which sorts and filters"
    links = {unquote(unescape(link)) for link in re.findall(r'href="([^"]*)"', page)}
    linked = {link.removesuffix("/report.html") for link in links if link.endswith("/report.html")}
    assert linked == {row.slide for row in result.rows if row.status is not Status.FAILED}
    assert all((out / link).is_file() for link in links)


def test_a_name_too_long_for_a_folder_is_cut(tmp_path: Path) -> None:
    """A table gives a scan's number to a file whose name already fills what a disk takes."""
    name = "n" * 251 + ".png"
    write_slide(tmp_path / "painted.png", paint(2, width=240, height=100)).rename(tmp_path / name)
    (tmp_path / "batch.csv").write_text(f"path,series\n{name},1\n")
    (found,) = find_slides([tmp_path / "batch.csv"], out=tmp_path / "out", fallback_mpp=MPP).slides
    assert len(found.name.encode()) == 255
    result = run_batch(
        [found], tmp_path / "out", settings=make_settings(), open_pool=Pool().opener, progress=NoProgress()
    )
    assert result.failed == 0
    assert (tmp_path / "out" / found.name / "report.html").is_file()
