"""What a run leaves behind besides its cells: areas, reasons, and tables that tell of what is there."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.run.test_batch import run_all
from tests.stand_ins import MPP, Pool, make_settings, number, paint, write_slide
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.report.rows import Status, SummaryRow
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import NoProgress


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    for seed, name in enumerate(("a.png", "b.png", "deep/c.png")):
        write_slide(folder / name, paint(seed, width=340, height=60))
    return folder


@pytest.mark.parametrize("tissue_mask", [True, False])
def test_a_slide_has_no_more_tissue_than_its_size(tmp_path: Path, tissue_mask: bool) -> None:
    """301 × 201 px of 0.4 µm are 240.8 × 160.8 px of the model."""
    pixels = paint(0, width=602, height=201).pixels[:, :301]
    Image.fromarray(pixels).save(tmp_path / "field.png")
    settings = make_settings(fallback_mpp=0.4, tissue_mask=tissue_mask)
    (row,) = run_all(tmp_path / "field.png", tmp_path / "out", settings=settings).rows
    assert number(row, "area_mm2") == pytest.approx(301 * 201 * 0.4e-3**2, abs=1e-6)


def test_greyscale_saved_as_rgb_has_no_index(tmp_path: Path) -> None:
    grey = Image.fromarray(paint(0).pixels).convert("L").convert("RGB")
    grey.save(tmp_path / "grey.png")
    (row,) = run_all(tmp_path / "grey.png", tmp_path / "out", pool=Pool(compute=one_for_each_tile)).rows
    assert row.total
    assert (row.status, row.staining) == (Status.NOT_ASSESSABLE, "no colour")
    assert row.reason == "no colour"


def one_for_each_tile(task: ShardTask) -> ShardResult:
    """A cell in the middle of each core."""
    centres = [(tile.core.x + 16, tile.core.y + 16, tile.index) for tile in task.shard.tiles]
    x, y, tile = np.array(centres, dtype=np.int32).T
    scores = np.full(len(x), 0.9, np.float32)
    density = np.zeros((len(x), 3), np.uint16)
    found = TilePeaks(x=x, y=y, score=scores, class_id=np.zeros(len(x), np.uint8), tile=tile, density=density)
    return ShardResult(found, 0.1)


def test_tables_are_there_as_soon_as_a_slide_has_ended(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    class Killed(NoProgress):
        def ended(self, row: SummaryRow) -> None:
            raise KeyboardInterrupt

    found = find_slides([slides], out=out, fallback_mpp=MPP).slides
    with pytest.raises(KeyboardInterrupt):
        run_batch(found, out, settings=make_settings(), open_pool=Pool().opener, progress=Killed())
    with (out / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 1
    assert "3 slides, 1 so far" in (out / "report.html").read_text()
    run_all(slides, out)
    assert "so far" not in (out / "report.html").read_text()


def test_earlier_results_of_other_slides_are_told_of(slides: Path, tmp_path: Path) -> None:
    class Notes(NoProgress):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def note(self, line: str) -> None:
            self.lines.append(line)

    out = tmp_path / "out"
    run_all(slides, out)
    found = find_slides([slides], out=out, fallback_mpp=MPP).slides
    for part, said in ((found, []), (found[:1], ["2 slides with earlier results in"])):
        notes = Notes()
        run_batch(part, out, settings=make_settings(), open_pool=Pool().opener, progress=notes)
        assert len(notes.lines) == len(said)
        assert all(line.startswith(start) for line, start in zip(notes.lines, said, strict=True))
    with (out / "summary.csv").open() as file:
        assert [row["slide"] for row in csv.DictReader(file)] == ["a.png"]
