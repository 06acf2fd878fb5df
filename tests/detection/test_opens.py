"""How often a slide of many shards is opened: once for each reading thread, not once a shard."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openslide
import pytest

from wsi_edt.detection.shards import detect_shard
from wsi_edt.maps import Peaks
from wsi_edt.slides import KeptSlides, Opener, SlideKey, SlideSource, TileGrid, shards

WORKERS, READERS = 2, 2
BLOCKS = shards(TileGrid((1228, 1228), tile_px=256, halo_px=32), None, side=2)


def nothing(images: npt.NDArray[np.uint8]) -> list[Peaks]:
    none = np.zeros(0, np.int32)
    return [Peaks(none, none, np.zeros(0, np.float32), np.zeros(0, np.uint8)) for _ in images]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that openslide opened, in order."""
    files: list[Path] = []

    class Counted(openslide.OpenSlide):
        def __init__(self, path: Path) -> None:
            files.append(path)
            super().__init__(path)

    monkeypatch.setattr(openslide, "OpenSlide", Counted)
    return files


def compute(source: SlideSource, opener: Opener) -> None:
    """All shards in two threads, as a worker computes two at a time."""

    def one(index: int) -> None:
        detect_shard(
            BLOCKS[index],
            nothing,
            source=source,
            model_mpp=0.3125,
            batch_size=2,
            readers=READERS,
            opener=opener,
        )

    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(one, range(len(BLOCKS))))


def test_a_slide_is_opened_once_for_each_reading_thread(ihc_slide_path: Path, opened: list[Path]) -> None:
    assert len(BLOCKS) >= 6
    source = SlideSource(ihc_slide_path)
    kept = KeptSlides(most=WORKERS * READERS)
    compute(source, lambda given: kept.lent(SlideKey(given, "the file")))
    kept.close()
    assert 1 <= len(opened) <= WORKERS * READERS
    assert set(opened) == {ihc_slide_path}


def test_nothing_is_opened_again_for_the_next_shards(ihc_slide_path: Path, opened: list[Path]) -> None:
    source = SlideSource(ihc_slide_path)
    kept = KeptSlides(most=WORKERS * READERS)
    for _ in range(2):
        compute(source, lambda given: kept.lent(SlideKey(given, "the file")))
    kept.close()
    assert len(opened) <= WORKERS * READERS


def test_without_keeping_each_shard_opens_it(ihc_slide_path: Path, opened: list[Path]) -> None:
    """The case: what the tests above would count if slides were opened once a shard."""
    compute(SlideSource(ihc_slide_path), SlideSource.open)
    assert len(opened) >= len(BLOCKS) > WORKERS * READERS
