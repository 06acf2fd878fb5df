"""One shard: read its tiles, run the model, keep each tile's own peaks. A pure function of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.stitching import MARGIN_PX
from wsi_edt.maps import Peaks
from wsi_edt.slides import Shard, Slide, Tile, TileLoader, TileRequest


class TileDetector(Protocol):
    """What finds the peaks of a batch of tiles."""

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        """(B, H, W, 3) uint8 RGB → the peaks of each tile, in px of its tile."""
        ...


def detect_shard(
    shard: Shard,
    detector: TileDetector,
    *,
    path: Path,
    mpp: float,
    batch_size: int,
    readers: int,
    opener: Callable[[Path], Slide],
) -> TilePeaks:
    """The peaks of a shard's tiles, each tile's in its core and a few px around it, in the tiles' order.

    Parameters
    ----------
    shard : which tiles
    detector : finds the peaks
    path : of the slide
    mpp : µm/px of the model
    batch_size : tiles a batch; the last batch of a shard is padded, so that all have one shape
    readers : threads that read ahead
    opener : opens the slide, once for each of them
    """
    requests = [TileRequest(path, tile.window, mpp) for tile in shard.tiles]
    found: list[TilePeaks] = []
    tiles = iter(shard.tiles)
    with TileLoader(requests, batch_size=batch_size, threads=readers, opener=opener) as loader:
        for batch in loader:
            detected = detector.detect(batch.images)[: len(batch.requests)]
            found.extend(_own_peaks(peaks, next(tiles)) for peaks in detected)
    return TilePeaks.concatenate(found)


def _own_peaks(peaks: Peaks, tile: Tile) -> TilePeaks:
    x, y = peaks.x + np.int32(tile.window.x), peaks.y + np.int32(tile.window.y)
    own = tile.core.grown(MARGIN_PX).contains(x, y)
    index = np.full(int(own.sum()), tile.index, np.int32)
    return TilePeaks(x[own], y[own], peaks.score[own], peaks.class_id[own], index)
