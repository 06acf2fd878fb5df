"""How many tiles a second a model's network does on this machine, as a run would have it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wsi_edt.detection.compute import Compute
from wsi_edt.detection.runtimes.runtime import Images, MapRunner

_GPU_BATCH = 16
_ROUNDS_A_THREAD = 2  # so that no thread waits long for the batch's last tile


@dataclass(frozen=True, slots=True)
class Speed:
    """Tiles a second of one worker process, over repeated batches.

    Attributes
    ----------
    median, least, most : of the batches
    compute : what computed them
    tile_px, batch : side of the tiles, and how many were given at a time
    repeats : batches
    """

    median: float
    least: float
    most: float
    compute: Compute
    tile_px: int
    batch: int
    repeats: int


def measure_speed(
    runner: MapRunner,
    compute: Compute,
    *,
    tile_px: int,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """The speed of a network that is ready to run; the first batch, which prepares it, isn't counted.

    Parameters
    ----------
    runner : makes the maps, for example a `Detector`
    compute : what it computes with
    tile_px : side of the tiles, a multiple of the network's stride
    repeats : batches whose time is taken
    clock : seconds
    """
    batch = _GPU_BATCH if compute.device == "cuda" else _ROUNDS_A_THREAD * compute.threads
    images = _noise(batch, tile_px)
    runner.maps(images)
    rates = []
    for _ in range(repeats):
        started = clock()
        runner.maps(images)
        rates.append(batch / (clock() - started))
    return Speed(statistics.median(rates), min(rates), max(rates), compute, tile_px, batch, repeats)


def _noise(batch: int, side: int) -> Images:
    """(batch, side, side, 3) uint8: zeros would be quicker than pixels on some processors."""
    return np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), np.uint8)
