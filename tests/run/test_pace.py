"""The pace of a machine, measured by its runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.ki67.made import result
from tests.stand_ins import COMPUTE, make_settings
from wsi_edt.cluster.machine import Machine
from wsi_edt.detection.runtimes.graph_cache import cache_folder
from wsi_edt.report.rows import SummaryRow
from wsi_edt.run.pace import PaceMeter, known_pace, pace_key
from wsi_edt.run.progress import NoProgress


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder() / "pace.json"


def measured(**tiles_and_seconds: tuple[int, int, float]) -> PaceMeter:
    """A meter that was told of slides: tiles, of them stored earlier, seconds."""
    meter = PaceMeter(NoProgress())
    for slide, (tiles, stored, _) in tiles_and_seconds.items():
        meter.planned(slide, tiles=tiles, tiles_stored=stored)
    for slide, (_, _, seconds) in tiles_and_seconds.items():
        meter.ended(SummaryRow.from_result(result(1, 1, slide=slide), seconds=seconds))
    return meter


def test_seconds_for_a_tile_are_those_of_whole_slides() -> None:
    meter = measured(a=(30, 0, 60.0), b=(10, 0, 40.0), continued=(100, 50, 900.0), empty=(0, 0, 0.0))
    meter.planned("failed", tiles=100, tiles_stored=0)
    meter.ended(SummaryRow.failed("failed", "is damaged", model="m"))
    assert known_pace("here") is None
    meter.keep("here")
    assert known_pace("here") == pytest.approx(100 / 40)
    assert known_pace("there") is None


def test_a_few_tiles_replace_no_measurement_of_many() -> None:
    measured(a=(2, 0, 20.0)).keep("here")
    assert known_pace("here") == 10.0, "better than nothing"
    measured(a=(20, 0, 20.0)).keep("here")
    measured(a=(2, 0, 20.0)).keep("here")
    assert known_pace("here") == 1.0
    measured(a=(20, 0, 40.0)).keep("here")
    assert known_pace("here") == 2.0


@pytest.mark.parametrize(
    "content", ["", "[]", "null", '{"here": 1}', '{"here": [1]}', '{"here": ["x", 2]}', "{"]
)
def test_a_damaged_cache_knows_nothing_and_is_replaced(content: str, own_cache: Path) -> None:
    own_cache.parent.mkdir(parents=True)
    own_cache.write_text(content)
    assert known_pace("here") is None
    measured(a=(20, 0, 40.0)).keep("here")
    assert known_pace("here") == 2.0


def test_a_cache_that_cannot_be_written_is_no_error(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_cache.parent.parent.mkdir(parents=True)
    own_cache.parent.write_text("a file")
    measured(a=(20, 0, 40.0)).keep("here")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    measured(a=(20, 0, 40.0)).keep("here")
    assert known_pace("here") is None


def test_a_pace_belongs_to_what_it_was_measured_with() -> None:
    cells, here = make_settings().cells, Machine("a", 4, COMPUTE)
    keys = {
        pace_key(cells, [here]),
        pace_key(cells, [here, here]),
        pace_key(cells, [replace(here, gpus=1)]),
        pace_key(replace(cells, tile_px=512), [here]),
        pace_key(replace(cells, model_sha256="1" * 64), [here]),
        pace_key(replace(cells, compute=replace(COMPUTE, threads=4)), [here]),
    }
    assert len(keys) == 6
    assert pace_key(replace(cells, tissue_mask=False), [here]) in keys
