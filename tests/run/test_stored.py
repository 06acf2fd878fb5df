"""Slides read back from a results folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.run.test_batch import run_all
from tests.stand_ins import make_settings, paint, write_slide
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.ki67 import Conventions
from wsi_edt.results import names
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.results.store import SlideStore
from wsi_edt.run.finalise import shards_of
from wsi_edt.run.settings import CellSettings
from wsi_edt.run.stored import StoredSlide, stored_results, stored_slides


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_slide(tmp_path / "slides/deep/a.png", paint(0, width=300, height=100))
    run_all(tmp_path / "slides", tmp_path / "out")
    return tmp_path / "out"


def refilled(slide: StoredSlide, found: list[tuple[int, int, float]]) -> None:
    """Replace what the slide's shards hold by peaks (tile, x, score) in row 10."""
    tile, x, score = zip(*found, strict=True)
    peaks = TilePeaks(
        x=np.array(x, np.int32),
        y=np.full(len(x), 10, np.int32),
        score=np.array(score, np.float32),
        class_id=np.zeros(len(x), np.uint8),
        tile=np.array(tile, np.int32),
        density=np.zeros((len(x), 3), np.uint16),
    )
    store = SlideStore(slide.folder / names.STORE, slide.header)
    first, *others = shards_of(slide.seen, slide.cells)
    store.write_shard(first, peaks, seconds=1)
    for shard in others:
        store.write_shard(shard, TilePeaks.empty(), seconds=1)


def test_a_threshold_comes_before_stitching(out: Path) -> None:
    """Tiles 0 and 1 meet at x = 32. Both see the left nucleus, tile 1 less well; it sees the right one beside it.

    Two nuclei that one tile sees both stay. To a run whose threshold lies between the two scores of the left one, tile 1
    shows the right one alone, which is tile 0's at a place shifted by 3 px, and the stronger.
    """
    (slide,) = stored_slides(out)
    refilled(slide, [(0, 31, 0.62), (1, 31, 0.61), (1, 34, 0.9)])
    assert slide.findings().cells.x.tolist() == [31.5, 34.5]
    assert slide.findings(threshold=0.615).cells.x.tolist() == [34.5]
    assert slide.findings(threshold=0.605).cells.x.tolist() == [31.5, 34.5]
    assert len(slide.findings(threshold=0.9).cells) == 0  # a score must exceed it


def test_the_runs_own_threshold_leaves_all_that_is_stored(out: Path) -> None:
    """A device may have compared in other precision: what it let pass stays."""
    (slide,) = stored_slides(out)
    refilled(slide, [(0, 3, 0.6), (0, 20, 0.61)])
    assert np.float32(0.6) <= 0.61
    assert len(slide.findings(threshold=0.6).cells) == len(slide.findings().cells) == 2


def test_a_slide_says_how_it_was_reported(out: Path) -> None:
    (slide,) = stored_slides(out)
    assert (slide.name, slide.folder) == ("deep/a.png", out / "deep/a.png")
    assert (slide.threshold, slide.conventions, slide.output) == (0.6, Conventions(), OutputOptions())
    assert slide.cells == make_settings().cells


@pytest.mark.parametrize("named", ["", "deep", "deep/a.png", "deep/../deep"])
def test_the_results_folder_is_found_from_what_is_in_it(out: Path, named: str) -> None:
    found = stored_results(out / named)
    assert (found.root, found.is_whole) == (out, not named)
    assert [slide.name for slide in found.slides] == ["deep/a.png"]


def test_settings_of_a_store_come_back_and_unknown_ones_are_told() -> None:
    cells = replace(make_settings().cells, icc=True)
    fields = json.loads(json.dumps(cells.to_json()))
    assert CellSettings.from_json(fields) == cells
    assert CellSettings.from_json(fields).cells_hash() == cells.cells_hash()
    with pytest.raises(OutputError, match="settings that this version"):
        CellSettings.from_json({name: value for name, value in fields.items() if name != "halo_px"})


@pytest.mark.parametrize("threshold", [-0.1, 1.0, 0.59])
def test_no_other_threshold_than_a_higher_one(threshold: float) -> None:
    with pytest.raises(UsageError):
        make_settings().cells.with_threshold(threshold)


def test_a_store_of_another_version_is_one_fault(out: Path) -> None:
    node = json.loads((out / "deep/a.png/store.zarr/zarr.json").read_text())
    node["attributes"]["format"] = 2
    (out / "deep/a.png/store.zarr/zarr.json").write_text(json.dumps(node))
    ((name, error),) = stored_results(out).faults
    assert name == "deep/a.png"
    assert "another version of wsi-edt" in str(error)
    with pytest.raises(OutputError, match="another version"):
        stored_slides(out)
