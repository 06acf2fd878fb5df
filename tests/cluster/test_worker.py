"""What a worker keeps between shards, and what it says when a GPU's memory is full."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from wsi_edt.cluster.detector_spec import DetectorSpec
from wsi_edt.cluster.worker import ShardTask, ShardWorker
from wsi_edt.detection.compute import Compute
from wsi_edt.errors import ModelError
from wsi_edt.maps import DecodeSettings, Peaks
from wsi_edt.slides import Slide, SlideSource, TileGrid, opening, shards


def nothing(images: npt.NDArray[np.uint8]) -> list[Peaks]:
    none = np.zeros(0, np.int32)
    return [Peaks(none, none, np.zeros(0, np.float32), np.zeros(0, np.uint8)) for _ in images]


def full(images: npt.NDArray[np.uint8]) -> list[Peaks]:
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.fixture
def tasks(ihc_slide_path: Path) -> list[ShardTask]:
    settings = DecodeSettings(("positive", "negative"), "max", 11, 0.6)
    spec = DetectorSpec("m", "0", Path(), settings, Compute("cpu", "torch", "fp32", 1), versions=())
    grid = TileGrid((1228, 1228), tile_px=256, halo_px=32)
    return [
        ShardTask(SlideSource(ihc_slide_path), "the file", shard, 0.3125, 4, spec)
        for shard in shards(grid, None, side=2)
    ]


def test_a_slide_is_opened_once_for_all_shards(
    tasks: list[ShardTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    real = opening.open_slide

    def counting(path: Path, fallback_mpp: float | None, **which: Any) -> Slide:
        opened.append(path)
        return real(path, fallback_mpp, **which)

    monkeypatch.setattr("wsi_edt.slides.source.open_slide", counting)
    worker = ShardWorker(lambda spec: nothing)
    assert len(tasks) > 6
    for task in tasks:
        worker.compute(task)
    first = len(opened)
    assert 1 <= first <= 2, "at most once for each reading thread"
    worker.compute(replace(tasks[0], fingerprint="another file"))
    assert len(opened) > first
    worker.close()


def test_a_full_gpu_is_one_sentence(tasks: list[ShardTask]) -> None:
    worker = ShardWorker(lambda spec: full)
    with pytest.raises(ModelError, match="give fewer --workers, or a smaller --batch-size or --tile-px"):
        worker.compute(tasks[0])
    worker.close()
