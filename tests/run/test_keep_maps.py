"""Runs that keep the network's maps: complete whatever happened, and never of other settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tests.run.test_batch import run_all
from tests.stand_ins import (
    MPP,
    SETTINGS,
    ColourDetector,
    Pool,
    make_settings,
    paint,
    result_files,
    write_slide,
)
from wsi_edt.cluster.worker import ShardResult, ShardTask, ShardWorker
from wsi_edt.errors import SlideError, UsageError
from wsi_edt.results import names
from wsi_edt.run.discover import find_slides
from wsi_edt.run.settings import RunSettings

SLIDE = "a.png"
SIZE = (400, 300)


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    write_slide(tmp_path / "slides" / SLIDE, paint(4, width=SIZE[0], height=SIZE[1]))
    return tmp_path / "slides"


@pytest.fixture
def worker() -> Iterator[ShardWorker]:
    detector = ColourDetector(SETTINGS)
    worker = ShardWorker(
        lambda spec: detector.detect, readers=1, with_maps_as=lambda spec: detector.detect_with_maps
    )
    yield worker
    worker.close()


def settings(*, keep_maps: bool = True, **others: Any) -> RunSettings:
    """Of the whole slide, so that each px is some tile's."""
    made = make_settings(tissue_mask=False, **others)
    return replace(made, options=replace(made.options, keep_maps=keep_maps))


def kept(out: Path) -> np.ndarray[Any, Any]:
    array = zarr.open_group(out / SLIDE / names.MAPS, mode="r")["0"]
    assert isinstance(array, zarr.Array)
    return np.asarray(array[0, :, 0])


def test_the_tiles_maps_are_the_whole_slides_and_the_cells_are_the_same(
    slides: Path, tmp_path: Path, worker: ShardWorker
) -> None:
    run_all(slides, tmp_path / "out", settings=settings(), pool=Pool(threads=3, compute=worker.compute))
    painted = paint(4, width=SIZE[0], height=SIZE[1]).pixels
    white = np.pad(painted, ((16, 16), (16, 16), (0, 0)), constant_values=255)
    _, (expected,) = ColourDetector(SETTINGS).detect_with_maps(white[None])
    stored = kept(tmp_path / "out")
    assert stored.shape == (2, SIZE[1], SIZE[0])
    assert np.abs(stored - np.clip(expected[:, 16:-16, 16:-16], 0, 1) * 255).max() <= 0.51
    run_all(slides, tmp_path / "plain", settings=settings(keep_maps=False), pool=Pool(compute=worker.compute))
    assert result_files(tmp_path / "out") == result_files(tmp_path / "plain")
    assert not (tmp_path / "plain" / SLIDE / names.MAPS).exists()


def test_a_run_that_goes_on_without_asking_again_leaves_no_gap(
    slides: Path, tmp_path: Path, worker: ShardWorker
) -> None:
    def dies(task: ShardTask) -> ShardResult:
        if task.shard.index >= 2:
            raise SlideError("is out of reach")
        return worker.compute(task)

    out = tmp_path / "out"
    run_all(slides, out, settings=settings(), pool=Pool(compute=dies))
    begun = kept(out)
    pool = Pool(compute=worker.compute)
    run_all(slides, out, settings=settings(keep_maps=False), pool=pool)
    assert pool.computed and (SLIDE, 0) not in pool.computed
    run_all(slides, tmp_path / "whole", settings=settings(), pool=Pool(compute=worker.compute))
    assert np.array_equal(kept(out), kept(tmp_path / "whole"))
    assert not np.array_equal(begun, kept(out))


def test_maps_of_finished_results_need_the_network_which_only_overwrite_runs_again(
    slides: Path, tmp_path: Path, worker: ShardWorker
) -> None:
    out = tmp_path / "out"
    run_all(slides, out, settings=settings(keep_maps=False), pool=Pool(compute=worker.compute))
    before = result_files(out)
    with pytest.raises(
        UsageError, match="has results without maps, for which the network must run again; pass --overw"
    ):
        run_all(slides, out, settings=settings())
    assert result_files(out) == before
    pool = Pool(compute=worker.compute)
    run_all(slides, out, settings=settings(overwrite=True), pool=pool)
    assert pool.computed and kept(out).any()
    again = Pool(compute=worker.compute)
    run_all(slides, out, settings=settings(), pool=again)  # which has them now
    assert not again.computed
    assert result_files(out) == before


def test_maps_go_with_the_results_that_they_are_of(slides: Path, tmp_path: Path, worker: ShardWorker) -> None:
    out = tmp_path / "out"
    run_all(slides, out, settings=settings(), pool=Pool(compute=worker.compute))
    other = settings(keep_maps=False, overwrite=True, tile_px=128)
    run_all(slides, out, settings=other, pool=Pool(compute=worker.compute))
    assert not (out / SLIDE / names.MAPS).exists()


def test_maps_are_no_slides(slides: Path, tmp_path: Path, worker: ShardWorker) -> None:
    inside = slides / "earlier"
    run_all(slides, inside, settings=settings(), pool=Pool(compute=worker.compute))
    found = find_slides([slides], out=tmp_path / "new", fallback_mpp=MPP).slides
    assert [slide.name for slide in found] == [SLIDE]
