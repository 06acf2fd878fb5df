"""One shard: read its tiles, run the model, keep each tile's own peaks with the colour around them.

A pure function of its arguments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from wsi_edt.detection.densities import RADIUS_UM, mean_densities
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.runtimes.runtime import FloatMaps, Images
from wsi_edt.detection.stitching import MARGIN_PX
from wsi_edt.geometry import Window
from wsi_edt.maps import Peaks
from wsi_edt.slides import Opener, Shard, SlideSource, Tile, TileLoader, TileRequest

# Batches in the detector at a time: while the peaks of one are found, the network has the next.
_BATCHES_IN_FLIGHT = 2


# (B, H, W, 3) uint8 RGB → the peaks of each tile, in px of its tile; two threads may call it at once.
Detect = Callable[[Images], list[Peaks]]


@dataclass(frozen=True, slots=True)
class KeepingMaps:
    """What keeps the maps too.

    Attributes
    ----------
    detect : finds the same peaks as a `Detect`, and gives the maps (B, C, H, W) float32 that they were found in
    keep : is given each tile with its maps (C, H, W)
    """

    detect: Callable[[Images], tuple[list[Peaks], FloatMaps]]
    keep: Callable[[Tile, FloatMaps], None]

    def found(self, images: Images, tiles: list[Tile]) -> list[Peaks]:
        """The peaks of each tile, whose maps are kept."""
        peaks, maps = self.detect(images)
        for tile, one in zip(tiles, maps, strict=True):
            self.keep(tile, one)
        return peaks


def detect_shard(
    shard: Shard,
    detect: Detect,
    *,
    source: SlideSource,
    model_mpp: float,
    batch_size: int,
    readers: int,
    opener: Opener = SlideSource.open,
    keeping: KeepingMaps | None = None,
) -> TilePeaks:
    """The peaks of a shard's tiles, each tile's in its core and a few px around it, in the tiles' order.

    Parameters
    ----------
    shard : which tiles
    detect : finds the peaks of a batch, as `Detector.detect` does
    source : the slide
    model_mpp : µm per model px
    batch_size : tiles a batch; no batch spans two shards, so that a shard's sums are the same wherever it is computed
    readers : threads that read ahead
    opener : opens the slide, once for each of them
    keeping : takes the place of `detect` where maps are kept
    """
    requests = [TileRequest(source, tile.window, model_mpp) for tile in shard.tiles]
    tiles = iter(shard.tiles)
    found: list[TilePeaks] = []
    in_flight: deque[Future[list[TilePeaks]]] = deque()

    def own_peaks(images: Images, of: list[Tile]) -> list[TilePeaks]:
        found = detect(images) if keeping is None else keeping.found(images, of)
        peaks = zip(found, images, of, strict=True)
        return [_own_peaks(*tile, radius_px=RADIUS_UM / model_mpp) for tile in peaks]

    def collect() -> None:
        found.extend(in_flight.popleft().result())

    with (
        ThreadPoolExecutor(_BATCHES_IN_FLIGHT, thread_name_prefix="detect") as threads,
        TileLoader(requests, batch_size=batch_size, threads=readers, opener=opener) as loader,
    ):
        for batch in loader:
            if len(in_flight) == _BATCHES_IN_FLIGHT:
                collect()
            in_flight.append(threads.submit(own_peaks, batch.images, list(islice(tiles, len(batch.images)))))
        while in_flight:
            collect()
    return TilePeaks.concatenate(found)


def _own_peaks(peaks: Peaks, image: Images, tile: Tile, *, radius_px: float) -> TilePeaks:
    x, y = peaks.x + np.int32(tile.window.x), peaks.y + np.int32(tile.window.y)
    own = tile.core.grown(MARGIN_PX).contains(x, y)
    index = np.full(int(own.sum()), tile.index, np.int32)
    shown = tile.on_slide
    on_slide = Window(shown.x - tile.window.x, shown.y - tile.window.y, shown.width, shown.height)
    density = mean_densities(image, peaks.x[own], peaks.y[own], radius_px=radius_px, on_slide=on_slide)
    return TilePeaks(x[own], y[own], peaks.score[own], peaks.class_id[own], index, density)
