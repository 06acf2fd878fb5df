"""What a worker keeps between shards, and what it says when a GPU's memory is full."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.cluster import worker
from wsi_edt.cluster.worker import DetectorSpec, ShardTask, compute_shard
from wsi_edt.errors import ModelError
from wsi_edt.maps import Peaks
from wsi_edt.slides import Slide, TileGrid, open_slide, shards


class Silent:
    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        none = np.zeros(0, np.int32)
        return [Peaks(none, none, np.zeros(0, np.float32), np.zeros(0, np.uint8)) for _ in images]


class Full:
    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.fixture
def task(tmp_path: Path, ihc_slide_path: Path) -> ShardTask:
    bundle = tiny_bundle(tmp_path / "tiny")
    spec = DetectorSpec(
        name=bundle.name,
        sha256=bundle.sha256,
        directory=bundle.directory,
        decode=bundle.decode,
        runtime="torch",
        device="cpu",
        precision="fp32",
        threads=1,
    )
    (shard, *_) = shards(TileGrid((1228, 1228), tile_px=256, halo_px=32), None)
    return ShardTask(
        path=ihc_slide_path,
        fingerprint="the file",
        mpp=None,
        shard=shard,
        model_mpp=0.3125,
        batch_size=4,
        detector=spec,
    )


def test_a_slide_is_opened_once_for_all_shards(task: ShardTask, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []

    def opener(path: Path, mpp: float | None) -> Slide:
        opened.append(path)
        return open_slide(path, mpp)

    monkeypatch.setattr(worker, "detector_for", lambda spec: Silent())
    monkeypatch.setattr(worker, "open_slide", opener)
    compute_shard(task)
    first = len(opened)
    assert 1 <= first <= 2  # reading threads
    for _ in range(3):
        compute_shard(task)
    assert len(opened) <= 2
    compute_shard(replace(task, fingerprint="another file"))
    assert len(opened) > first
    worker._slides.close()


def test_a_full_gpu_is_one_sentence(task: ShardTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "detector_for", lambda spec: Full())
    with pytest.raises(ModelError, match="give fewer --workers, or a smaller --batch-size or --tile-px"):
        compute_shard(task)
    worker._slides.close()
